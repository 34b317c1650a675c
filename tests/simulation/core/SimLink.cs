// Links of a simulated rack. A ring delivers every frame once, in order, after a delay; an ethernet link may also lose, double and reorder.
// Delays are mostly short and sometimes as long as a host that runs something else.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Lego.Fabric;

namespace Lego.Simulation;

/// <summary>How frames travel.</summary>
internal sealed record NetworkKind(string Name, bool IsReliable, int MaxFrameBytes, int LossPerMille, int DuplicatePerMille,
    int ReorderPerMille)
{
    private const int RingFrameBytes = MessageHeader.SizeBytes + MessageHeader.MaxBodyBytes;

    internal static readonly NetworkKind Ring = new("ring", true, RingFrameBytes, 0, 0, 0);
    internal static readonly NetworkKind Ethernet = new("ethernet", false, 8952, 20, 20, 50);
    internal static readonly NetworkKind SmallFrames = new("mtu1500", false, 1448, 20, 20, 50);
}

/// <summary>One end of a link between two machines.</summary>
internal sealed unsafe class SimLink : Link, IDisposable
{
    private const int CapacityBytes = 256 * 1024;
    private const int FullPerMille = 2;

    private SimMachine _machine;
    private readonly NetworkKind _kind;
    private readonly Queue<Frame> _arrived = new();
    private SimLink? _far;
    private ulong _lastArrivalNs;
    private int _underWayBytes;
    private Frame _lent;

    private readonly record struct Frame(nint Bytes, int Length);

    private SimLink(SimMachine machine, NetworkKind kind)
    {
        _machine = machine;
        _kind = kind;
        _arrivalWord = (ulong*)NativeMemory.AllocZeroed(sizeof(ulong));
    }

    public override int MaxFrameBytes => _kind.MaxFrameBytes;

    public override int WindowBytes => (2 * CapacityBytes / 2) - NetworkKind.Ring.MaxFrameBytes;

    public override LinkTraits Traits => _kind.IsReliable ? LinkTraits.Reliable | LinkTraits.ChecksumFree : LinkTraits.None;

    /// <summary>When set, nothing that is sent gets through: a cut cable.</summary>
    internal bool IsCut { get; set; }

    /// <summary>True for either end of the link between the two.</summary>
    internal bool Joins(SimMachine a, SimMachine b) =>
        (_machine == a && _far!._machine == b) || (_machine == b && _far!._machine == a);

    /// <summary>This end belongs to another machine from now on, with what lies in it.</summary>
    internal void MoveTo(SimMachine machine) => _machine = machine;

    /// <summary>True for this end at a machine of a link to the other one.</summary>
    internal bool IsEndOf(SimMachine machine, SimMachine other) => _machine == machine && _far!._machine == other;

    /// <summary>Two ends.</summary>
    internal static (SimLink A, SimLink B) Join(SimMachine a, SimMachine b, NetworkKind kind)
    {
        SimLink first = new(a, kind);
        SimLink second = new(b, kind);
        first._far = second;
        second._far = first;
        return (first, second);
    }

    public override bool TrySend(ushort destinationNode, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        Simulation simulation = _machine.Simulation;
        int length = header.Length + a.Length + b.Length;
        Frame frame = new((nint)NativeMemory.Alloc((nuint)length), length);
        Span<byte> bytes = new((void*)frame.Bytes, length);
        header.CopyTo(bytes);
        a.CopyTo(bytes[header.Length..]);
        b.CopyTo(bytes[(header.Length + a.Length)..]);
        // A ring has room for everything that the window allows; a card's queue may be full at any time.
        if (_underWayBytes + length > CapacityBytes || (!_kind.IsReliable && simulation.Choices.Chance(FullPerMille)))
        {
            NativeMemory.Free((void*)frame.Bytes);
            return false;
        }

        MessageHeader* message = (MessageHeader*)frame.Bytes;
        simulation.Choices.Note(((ulong)message->Opcode << 32) | ((ulong)message->Kind << 24) | (uint)length);
        if (simulation.Trace.IsOn)
        {
            simulation.Trace.Say(simulation, _machine,
                $"-> {_far!._machine.Name} {message->Kind} {message->Opcode} {message->RequestId & 0xFFFFFF:x} {length} bytes"
                + (message->Kind == MessageKind.Reply ? $" status {message->Status}" : ""));
        }

        if (IsCut || simulation.Choices.Chance(_kind.LossPerMille))
        {
            NativeMemory.Free((void*)frame.Bytes);
            return true;
        }

        if (simulation.Choices.Chance(_kind.DuplicatePerMille))
        {
            Frame copy = new((nint)NativeMemory.Alloc((nuint)length), length);
            Buffer.MemoryCopy((void*)frame.Bytes, (void*)copy.Bytes, length, length);
            Launch(copy);
        }

        Launch(frame);
        return true;
    }

    public override bool TryReceive(out ReadOnlySpan<byte> frame)
    {
        frame = default;
        if (!_arrived.TryDequeue(out _lent))
        {
            return false;
        }

        *_arrivalWord = _arrived.Count > 0 ? 1UL : 0;
        frame = new ReadOnlySpan<byte>((void*)_lent.Bytes, _lent.Length);
        return true;
    }

    public override void Release()
    {
        NativeMemory.Free((void*)_lent.Bytes);
        _lent = default;
    }

    public void Dispose()
    {
        while (_arrived.TryDequeue(out Frame frame))
        {
            NativeMemory.Free((void*)frame.Bytes);
        }

        NativeMemory.Free(_arrivalWord);
    }

    private void Launch(Frame frame)
    {
        Simulation simulation = _machine.Simulation;
        ulong arrival = simulation.NowNs + DelayNs(simulation.Choices);
        if (_kind.IsReliable || !simulation.Choices.Chance(_kind.ReorderPerMille))
        {
            arrival = Math.Max(arrival, _lastArrivalNs);
            _lastArrivalNs = arrival;
        }

        _underWayBytes += frame.Length;
        SimLink far = _far!;
        simulation.At(arrival, new SimEvent(far._machine, () =>
        {
            _underWayBytes -= frame.Length;
            far._arrived.Enqueue(frame);
            *far._arrivalWord = 1;
            far._machine.HasNews = true;
        }));
    }

    private ulong DelayNs(Choices choices)
    {
        int kind = choices.Next(100);
        int mostNs = kind < 2 ? 3_000_000 : kind < 15 ? 200_000 : _kind.IsReliable ? 8_000 : 150_000;
        return (ulong)(500 + choices.Next(mostNs));
    }
}
