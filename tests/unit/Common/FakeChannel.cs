// The rack tool's end of a control channel, for host tests: bytes that the component wrote, parsed into frames, and frames to feed it.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Lego.Common.Control;
using Lego.Kernel;

namespace Lego.Tests.Common;

/// <summary>A frame that the component sent.</summary>
public sealed record SentFrame(ControlFrameType Type, ushort Session, byte[] Payload)
{
    public string Text => Encoding.ASCII.GetString(Payload);

    public uint Number(int index) => BinaryPrimitives.ReadUInt32LittleEndian(Payload.AsSpan(index * sizeof(uint)));
}

/// <summary>A channel in memory whose reader can stop reading.</summary>
public sealed class FakeChannel : ByteChannel
{
    private readonly Queue<byte> _toComponent = new();
    private readonly List<byte> _fromComponent = [];

    /// <summary>Bytes that the tool's side still accepts before it reads.</summary>
    public int Room { get; set; } = int.MaxValue;

    public bool Attached { get; set; } = true;

    /// <summary>Most bytes that one Read returns: shows that frames may arrive in pieces.</summary>
    public int Piece { get; set; } = int.MaxValue;

    public override bool Connected => Attached;

    /// <summary>Always news: a test feeds bytes and changes its mind about room at any time.</summary>
    public override bool Poll() => true;

    public override int Write(ReadOnlySpan<byte> bytes)
    {
        int taken = Math.Min(bytes.Length, Room);
        Room -= taken;
        _fromComponent.AddRange(bytes[..taken].ToArray());
        return taken;
    }

    public override int Read(Span<byte> bytes)
    {
        int count = Math.Min(Math.Min(bytes.Length, _toComponent.Count), Piece);
        for (int index = 0; index < count; index++)
        {
            bytes[index] = _toComponent.Dequeue();
        }

        return count;
    }

    public void Feed(ControlFrameType type, ushort session, params byte[] payload)
    {
        byte[] header = new byte[ControlFrame.HeaderBytes];
        ControlFrame.WriteHeader(header, type, session, payload.Length);
        FeedRaw([.. header, .. payload]);
    }

    public void FeedRaw(params byte[] bytes)
    {
        foreach (byte value in bytes)
        {
            _toComponent.Enqueue(value);
        }
    }

    /// <summary>Whole frames sent so far, which are then forgotten.</summary>
    public List<SentFrame> Take()
    {
        List<SentFrame> frames = new();
        byte[] bytes = [.. _fromComponent];
        int at = 0;
        while (ControlFrame.Parse(bytes.AsSpan(at), out ControlFrame frame, out int consumed) == ControlParse.Complete)
        {
            frames.Add(new SentFrame(frame.Type, frame.Session, frame.Payload.ToArray()));
            at += consumed;
        }

        _fromComponent.RemoveRange(0, at);
        return frames;
    }

    /// <summary>A Start payload.</summary>
    public static byte[] Start(string[] arguments, string[]? environment = null, string directory = "/")
    {
        byte[] head = new byte[StartFrame.HeadBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4), (uint)arguments.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(8), (uint)(environment?.Length ?? 0));
        string strings = string.Concat(new[] { directory }.Concat(arguments).Concat(environment ?? []).Select(text => text + "\0"));
        return [.. head, .. Encoding.ASCII.GetBytes(strings)];
    }
}
