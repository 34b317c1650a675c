// The control messages of one sendmsg or recvmsg, in the program's memory (cmsg(3)). They are read and written where they are, one after
// the other; a program that changes them meanwhile harms only itself. BLOCKS.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct cmsghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct ControlHeader
{
    /// <summary>Bytes with this header.</summary>
    public ulong Length;
    public int Level;
    public int Type;
}

/// <summary>A cursor over control messages.</summary>
public unsafe ref struct ControlMessages
{
    /// <summary>SCM_RIGHTS: descriptors.</summary>
    public const int Rights = 1;
    /// <summary>SCM_CREDENTIALS: struct ucred.</summary>
    public const int Credentials = 2;

    private readonly Process* _process;
    private readonly ulong _address;
    private readonly ulong _room;
    private ulong _position;

    public ControlMessages(Process* process, ulong address, ulong lengthBytes)
    {
        _process = process;
        _address = address;
        _room = address == 0 ? 0 : lengthBytes;
    }

    /// <summary>Bytes written so far, as msg_controllen tells them.</summary>
    public readonly ulong WrittenBytes => _position;

    /// <summary>True when there is room for a header at least.</summary>
    public readonly bool HasRoom => _room >= (ulong)sizeof(ControlHeader);

    /// <summary>
    /// The next one to send and where its data are; false after the last, or with an error. EINVAL: a length that leaves the buffer;
    /// EFAULT.
    /// </summary>
    public bool TryTake(out ControlHeader header, out UserBuffer data, out Errno error)
    {
        header = default;
        data = default;
        error = Errno.None;
        if (_position >= _room || _room - _position < (ulong)sizeof(ControlHeader))
        {
            return false;
        }

        error = new UserPointer<ControlHeader>(_address + _position).Read(_process, out header);
        if (error == Errno.None && (header.Length < (ulong)sizeof(ControlHeader) || header.Length > _room - _position))
        {
            error = Errno.EINVAL;
        }

        data = new UserBuffer(_address + _position + (ulong)sizeof(ControlHeader), header.Length - (ulong)sizeof(ControlHeader));
        _position += Aligned(header.Length);
        return error == Errno.None;
    }

    /// <summary>How many items of a size the next one to receive may have.</summary>
    public readonly int RoomFor(int itemBytes) =>
        _room - _position <= (ulong)sizeof(ControlHeader)
            ? 0
            : (int)Math.Min((_room - _position - (ulong)sizeof(ControlHeader)) / (ulong)itemBytes, int.MaxValue);

    /// <summary>Writes one, cut to the room; false when it did not fit as a whole. What cannot be written is lost, as on Linux.</summary>
    public bool Put(int level, int type, scoped ReadOnlySpan<byte> data)
    {
        ulong left = _room - _position;
        ulong wanted = (ulong)sizeof(ControlHeader) + (ulong)data.Length;
        if (left < (ulong)sizeof(ControlHeader))
        {
            return false;
        }

        ControlHeader header = new() { Length = Math.Min(wanted, left), Level = level, Type = type };
        Errno error = new UserPointer<ControlHeader>(_address + _position).Write(_process, in header);
        if (error == Errno.None)
        {
            error = UserMemory.CopyOut(
                _process, _address + _position + (ulong)sizeof(ControlHeader), data.Slice(0, (int)header.Length - sizeof(ControlHeader)));
        }

        _position += error == Errno.None ? Math.Min(Aligned(header.Length), left) : 0;
        return error == Errno.None && wanted <= left;
    }

    private static ulong Aligned(ulong length) => (length + sizeof(ulong) - 1) & ~(ulong)(sizeof(ulong) - 1);
}
