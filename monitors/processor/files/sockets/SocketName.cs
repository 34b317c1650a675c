// An address as programs give it: struct sockaddr_storage and how much of it counts. Copies from and to programs may BLOCK.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A family and what it says, at most as long as Linux has addresses.</summary>
public unsafe struct SocketName
{
    /// <summary>sizeof(struct sockaddr_storage).</summary>
    public const int MaxBytes = 128;

    /// <summary>sizeof(sa_family_t): what every address begins with.</summary>
    public const int FamilyBytes = 2;

    public int Length;
    private Storage _bytes;

    [InlineArray(MaxBytes)]
    private struct Storage
    {
        private byte _first;
    }

    /// <summary>The family; unspecified when there is none.</summary>
    public ushort Family
    {
        readonly get => Length < FamilyBytes ? (ushort)0 : (ushort)(_bytes[0] | (_bytes[1] << 8));
        set
        {
            _bytes[0] = (byte)value;
            _bytes[1] = (byte)(value >> 8);
        }
    }

    /// <summary>All of the room.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public Span<byte> Room => _bytes;

    /// <summary>The bytes that count.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public readonly ReadOnlySpan<byte> Bytes => ((ReadOnlySpan<byte>)_bytes).Slice(0, Length);

    /// <summary>Copies an address from a program. EINVAL: its length is no address's; EFAULT.</summary>
    public static Errno Read(Process* process, ulong address, int length, out SocketName name)
    {
        name = default;
        if (length is < 0 or > MaxBytes)
        {
            return Errno.EINVAL;
        }

        name.Length = length;
        return UserMemory.CopyIn(process, address, name.Room.Slice(0, length));
    }

    /// <summary>
    /// Copies to a program as much as it has room for, and tells how long the address is (accept(2)). EINVAL: negative room; EFAULT.
    /// </summary>
    public readonly Errno Write(Process* process, ulong address, ulong lengthAddress)
    {
        Errno error = new UserPointer<int>(lengthAddress).Read(process, out int room);
        if (error == Errno.None && room < 0)
        {
            error = Errno.EINVAL;
        }

        if (error == Errno.None)
        {
            error = UserMemory.CopyOut(process, address, Bytes.Slice(0, Math.Min(room, Length)));
        }

        return error == Errno.None ? new UserPointer<int>(lengthAddress).Write(process, Length) : error;
    }
}
