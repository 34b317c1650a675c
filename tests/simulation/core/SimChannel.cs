// The rack tool's end of the manager's control channel: what the tool sends, and what it has heard. A reader that pauses gives no room.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Lego.Common.Control;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>A frame that the manager sent.</summary>
internal sealed record HeardFrame(ControlFrameType Type, ushort Session, byte[] Payload)
{
    internal uint Number(int index) => BinaryPrimitives.ReadUInt32LittleEndian(Payload.AsSpan(index * sizeof(uint)));
}

/// <summary>A channel in memory.</summary>
internal sealed unsafe class SimChannel(SimMachine machine, WaitQueue* heard) : ByteChannel
{
    private readonly Queue<byte> _toComponent = new();
    private readonly List<byte> _fromComponent = [];

    private bool _isPaused;
    private bool _wasFull;

    /// <summary>True while the tool does not read.</summary>
    internal bool IsPaused
    {
        get => _isPaused;
        set
        {
            _isPaused = value;
            machine.HasNews = true;
        }
    }

    internal List<HeardFrame> Heard { get; } = [];

    public override bool Connected => true;

    public override bool Poll()
    {
        bool hasRoomAgain = _wasFull && !IsPaused;
        _wasFull &= IsPaused;
        return _toComponent.Count > 0 || hasRoomAgain;
    }

    public override int Write(ReadOnlySpan<byte> bytes)
    {
        if (IsPaused)
        {
            _wasFull = true;
            return 0;
        }

        _fromComponent.AddRange(bytes);
        byte[] all = [.. _fromComponent];
        int at = 0;
        while (ControlFrame.Parse(all.AsSpan(at), out ControlFrame frame, out int consumed) == ControlParse.Complete)
        {
            Heard.Add(new HeardFrame(frame.Type, frame.Session, frame.Payload.ToArray()));
            ReturnCredit(in frame);
            machine.Simulation.Choices.Note(((ulong)frame.Type << 32) | (uint)frame.Payload.Length);
            at += consumed;
        }

        _fromComponent.RemoveRange(0, at);
        heard->WakeAll();
        return bytes.Length;
    }

    public override int Read(Span<byte> bytes)
    {
        int count = Math.Min(bytes.Length, _toComponent.Count);
        for (int index = 0; index < count; index++)
        {
            bytes[index] = _toComponent.Dequeue();
        }

        return count;
    }

    /// <summary>What has been read has been written where it belongs: its credit goes back.</summary>
    private void ReturnCredit(scoped in ControlFrame frame)
    {
        if (frame.Type is ControlFrameType.StandardOutput or ControlFrameType.StandardError)
        {
            byte[] taken = new byte[2 * sizeof(uint)];
            BinaryPrimitives.WriteUInt32LittleEndian(taken, frame.Type == ControlFrameType.StandardOutput ? 1u : 2u);
            BinaryPrimitives.WriteUInt32LittleEndian(taken.AsSpan(sizeof(uint)), (uint)(ControlFrame.HeaderBytes + frame.Payload.Length));
            Send(ControlFrameType.StandardOutputTaken, frame.Session, taken);
        }
    }

    /// <summary>Sends a frame to the manager.</summary>
    internal void Send(ControlFrameType type, ushort session, params byte[] payload)
    {
        byte[] header = new byte[ControlFrame.HeaderBytes];
        ControlFrame.WriteHeader(header, type, session, payload.Length);
        foreach (byte value in header.Concat(payload))
        {
            _toComponent.Enqueue(value);
        }

        machine.HasNews = true;
    }

    /// <summary>Starts a program, on a processor component or (0) where the manager wants it; the flags are StartFlags.</summary>
    internal void Start(ushort session, uint flags, ushort node, params string[] arguments) => StartIn(0, session, flags, node, arguments);

    /// <summary>The same in a vNode.</summary>
    internal void StartIn(ushort vnode, ushort session, uint flags, ushort node, params string[] arguments)
    {
        byte[] head = new byte[StartFrame.HeadBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(head, flags);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(4), (uint)arguments.Length);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(StartFrame.ProcessorOffset), node);
        BinaryPrimitives.WriteUInt16LittleEndian(head.AsSpan(StartFrame.ProcessorOffset + sizeof(ushort)), vnode);
        string strings = string.Concat(new[] { "/" }.Concat(arguments).Select(text => text + "\0"));
        Send(ControlFrameType.Start, session, [.. head, .. Encoding.ASCII.GetBytes(strings)]);
    }
}
