// Writes rtnetlink messages into a buffer (rtnetlink(7), netlink(7)): a header, a fixed part, attributes of type, length and value, all
// aligned to four bytes. A message that does not fit is taken back as a whole. Pure; tested on the host.

using System;
using System.Runtime.InteropServices;

namespace Lego.Processor;

/// <summary>struct nlmsghdr.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct NetlinkHeader
{
    public uint Length;
    public ushort Type;
    public ushort Flags;
    public uint Sequence;
    public uint Port;
}

/// <summary>A cursor over the messages of one datagram.</summary>
public unsafe ref struct NetlinkWriter(Span<byte> buffer)
{
    private const int Alignment = 4;
    private const int AttributeHeaderBytes = 4;

    private readonly Span<byte> _buffer = buffer;
    private int _start;
    private bool _isFull;

    /// <summary>Bytes written, whole messages only.</summary>
    public int Length { get; private set; }

    /// <summary>Begins a message whose fixed part is <paramref name="body"/>.</summary>
    public void Begin<T>(in NetlinkHeader header, in T body) where T : unmanaged
    {
        _start = Length;
        _isFull = false;
        Append(MemoryMarshal.AsBytes(new ReadOnlySpan<NetlinkHeader>(in header)));
        Append(MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in body)));
    }

    /// <summary>An attribute of some bytes.</summary>
    public void Add(ushort type, scoped ReadOnlySpan<byte> value)
    {
        uint head = (uint)(AttributeHeaderBytes + value.Length) | ((uint)type << 16);
        Append(MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in head)));
        Append(value);
    }

    /// <summary>An attribute that is a number.</summary>
    public void Add(ushort type, uint value) => Add(type, MemoryMarshal.AsBytes(new ReadOnlySpan<uint>(in value)));

    /// <summary>An attribute that is a text with its terminator.</summary>
    public void AddText(ushort type, scoped ReadOnlySpan<byte> text)
    {
        Span<byte> terminated = stackalloc byte[32];
        text.CopyTo(terminated);
        terminated[text.Length] = 0;
        Add(type, terminated.Slice(0, text.Length + 1));
    }

    /// <summary>Ends a message; false: it did not fit and is not there.</summary>
    public bool TryEnd()
    {
        if (_isFull)
        {
            Length = _start;
            return false;
        }

        uint length = (uint)(Length - _start);
        MemoryMarshal.Write(_buffer.Slice(_start), in length);
        return true;
    }

    private void Append(scoped ReadOnlySpan<byte> bytes)
    {
        int aligned = (bytes.Length + Alignment - 1) & ~(Alignment - 1);
        _isFull |= aligned > _buffer.Length - Length;
        if (_isFull)
        {
            return;
        }

        Span<byte> room = _buffer.Slice(Length, aligned);
        room.Clear();
        bytes.CopyTo(room);
        Length += aligned;
    }
}
