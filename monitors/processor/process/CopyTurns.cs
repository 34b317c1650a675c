// Turns of long copies: one system call may move gigabytes and nothing interrupts the kernel, so whoever copies to or from programs gives
// way after each megabyte of the component's copies.

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Bytes copied since others had their turn.</summary>
public sealed class CopyTurns
{
    private const ulong BytesPerTurn = 1 << 20;

    private ulong _copiedBytes;

    /// <summary>Some bytes are about to be copied. BLOCKS when the turn is over.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Spend(ulong lengthBytes)
    {
        _copiedBytes += lengthBytes;
        if (_copiedBytes >= BytesPerTurn)
        {
            _copiedBytes = 0;
            Scheduler.Yield();
        }
    }
}
