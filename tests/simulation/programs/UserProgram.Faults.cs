// Accesses that may be refused: a handler of SIGSEGV that does not return, as with siglongjmp.

using System;
using Lego.Processor;

namespace Lego.Simulation;

internal sealed unsafe partial class UserProgram
{
    private bool _handlesFaults;

    /// <summary>Thrown by the handler: leaves the instruction that faulted.</summary>
    private sealed class Refused : Exception;

    /// <summary>The stack pointer: argc, then argv, as execve left them.</summary>
    internal ulong Stack => _user->Rsp;

    /// <summary>False: SIGSEGV.</summary>
    internal bool TryLoad(ulong address, out byte value)
    {
        byte found = 0;
        bool isAllowed = Try(() => found = Load(address));
        value = found;
        return isAllowed;
    }

    /// <summary>False: SIGSEGV.</summary>
    internal bool TryStore(ulong address, byte value) => Try(() => Store(address, value));

    private bool Try(Action access)
    {
        if (!_handlesFaults)
        {
            const ulong NoDefer = 0x40000000;
            Handle(Signal.SegmentationFault, static (_, _) => throw new Refused(), NoDefer);
            _handlesFaults = true;
        }

        ulong stack = _user->Rsp;
        try
        {
            access();
            return true;
        }
        catch (Refused)
        {
            _user->Rsp = stack;
            return false;
        }
    }
}
