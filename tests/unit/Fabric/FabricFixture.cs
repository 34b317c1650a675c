// Two endpoints in one host test: their memory, the links between them, and a service that counts what it executes.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Tests.Fabric;

/// <summary>What a test may learn about a request: the service sees nothing else.</summary>
internal sealed unsafe class CountingService : RpcService
{
    /// <summary>Executions by the number that begins each request's body.</summary>
    internal readonly Dictionary<ulong, int> Executions = [];
    internal readonly List<ulong> Order = [];
    internal int Replays;
    internal int ReplyBytes = 8;
    internal bool Defers;
    internal bool Idempotent;
    internal bool TakesReplays;
    internal Action? WhileHandling;

    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        if (Defers)
        {
            return RpcDisposition.Deferred;
        }

        Serve(ref request);
        return RpcDisposition.Done;
    }

    public override void Handle(ref RpcRequest request)
    {
        WhileHandling?.Invoke();
        Serve(ref request);
    }

    public override bool IsIdempotent(Opcode opcode) => Idempotent;

    public override bool RunsReplays(Opcode opcode) => TakesReplays;

    /// <summary>The reply that a request's number gets.</summary>
    internal static byte[] ReplyFor(ulong number, int lengthBytes)
    {
        byte[] reply = new byte[lengthBytes];
        for (int index = 0; index < lengthBytes; index++)
        {
            reply[index] = (byte)((number * 31) + ((ulong)index * 7) + (ulong)(index >> 8));
        }

        return reply;
    }

    private void Serve(ref RpcRequest request)
    {
        if (!request.TryReadHead(out ulong number, out ReadOnlySpan<byte> rest))
        {
            request.Reply(Errno.EPROTO);
            return;
        }

        if (request.IsReplay)
        {
            Replays++;
        }
        else
        {
            Executions[number] = Executions.GetValueOrDefault(number) + 1;
            Order.Add(number);
        }

        Errno status = rest.SequenceEqual(FabricFixture.Payload(number, rest.Length)) ? Errno.None : Errno.EBADMSG;
        request.Reply(status, ReplyFor(number, ReplyBytes));
    }
}

/// <summary>Endpoints 1 and 2, joined.</summary>
internal sealed unsafe class FabricFixture : IDisposable
{
    private const ulong Pages = 8192;

    private readonly void* _memory;

    internal FabricFixture()
    {
        _memory = NativeMemory.AlignedAlloc((nuint)(Pages * PageOperations.PageSize), PageOperations.PageSize);
        Frames = new FrameAllocator(_memory, Pages);
        One = new RpcEndpoint(1, Frames, 0);
        Two = new RpcEndpoint(2, Frames, 0);
        Two.Register((byte)((int)Opcode.Map >> 8), Service);
        Poller.Reset();
        Poller.Register(One);
        Poller.Register(Two);
    }

    internal FrameAllocator Frames { get; }

    internal RpcEndpoint One { get; }

    internal RpcEndpoint Two { get; }

    internal CountingService Service { get; } = new();

    internal RingLink? RingAtOne { get; private set; }

    internal RingLink? RingAtTwo { get; private set; }

    /// <summary>What endpoint 1 is attached to, with its faults.</summary>
    internal Link? LinkAtOne { get; private set; }

    internal static RpcContext Context => new() { Asid = 7, Class = RpcClass.DemandFetch };

    public void Dispose()
    {
        Poller.Reset();
        NativeMemory.AlignedFree(_memory);
    }

    /// <summary>Bytes that belong to a request's number.</summary>
    internal static byte[] Payload(ulong number, int lengthBytes)
    {
        byte[] payload = new byte[lengthBytes];
        for (int index = 0; index < lengthBytes; index++)
        {
            payload[index] = (byte)(number + ((ulong)index * 13));
        }

        return payload;
    }

    /// <summary>Joins the endpoints by an in-memory ring; a faulty or short-framed one when asked for.</summary>
    internal FabricFixture Join(LossRates rates = default, ulong seed = 0, int frameBytes = 0, bool meet = true)
    {
        if (LocalLink.CreatePair(Frames, 1, 2, out RingLink? low, out RingLink? high) != Errno.None)
        {
            throw new InvalidOperationException("no memory");
        }

        RingAtOne = low;
        RingAtTwo = high;
        Link one = low!;
        Link two = high!;
        if (frameBytes != 0)
        {
            one = new ShortFrameLink(one, frameBytes);
            two = new ShortFrameLink(two, frameBytes);
        }

        if (seed != 0)
        {
            one = new LossyLink(one, rates, seed, Frames);
            two = new LossyLink(two, rates, (seed * 77) + 1, Frames);
        }

        LinkAtOne = one;
        One.Attach(2, one);
        Two.Attach(1, two);
        if (meet)
        {
            Meet();
        }

        return this;
    }

    /// <summary>For tests that join the endpoints themselves.</summary>
    internal void UseRings(RingLink atOne, RingLink atTwo) => (RingAtOne, RingAtTwo) = (atOne, atTwo);

    /// <summary>Lets the endpoints learn each other's lives, which first calls would do.</summary>
    internal void Meet()
    {
        One.Call(2, Opcode.Echo, Context, default, default, default, out _);
        Two.Call(1, Opcode.Echo, Context, default, default, default, out _);
    }

    /// <summary>Calls Map at endpoint 2 with a number and its payload, and checks the reply.</summary>
    internal Errno Call(ulong number, int payloadBytes, int replyBytes)
    {
        byte[] reply = new byte[Math.Max(replyBytes, 1)];
        Errno status = One.Call(2, Opcode.Map, Context, in number, Payload(number, payloadBytes), reply.AsSpan(0, replyBytes),
            out int length);
        if (status == Errno.None && !reply.AsSpan(0, length).SequenceEqual(CountingService.ReplyFor(number, Service.ReplyBytes)))
        {
            return Errno.EILSEQ;
        }

        return status;
    }
}

/// <summary>A link whose frames are shorter than a message: what an Ethernet MTU does.</summary>
internal sealed class ShortFrameLink(Link inner, int frameBytes) : Link
{
    public override int MaxFrameBytes => frameBytes;

    public override int WindowBytes => inner.WindowBytes;

    public override LinkTraits Traits => inner.Traits;

    public override bool TrySend(ushort destinationNode, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b) =>
        header.Length + a.Length + b.Length <= frameBytes
            ? inner.TrySend(destinationNode, header, a, b)
            : throw new InvalidOperationException("frame too long");

    public override bool TryReceive(out ReadOnlySpan<byte> frame) => inner.TryReceive(out frame);

    public override void Release() => inner.Release();
}
