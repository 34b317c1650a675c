// The window by itself, against what it promises: a reserve that nobody else can take, and nothing gained or lost over time.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Xunit;

namespace Lego.Tests.Fabric;

public sealed unsafe class CallWindowTests : IDisposable
{
    private const int LinkBytes = 224 * 1024;
    private const int Calls = 400;

    private readonly byte* _memory = (byte*)NativeMemory.AllocZeroed((nuint)CallWindow.SizeBytes);
    private readonly PendingCall* _calls = (PendingCall*)NativeMemory.AllocZeroed(Calls, (nuint)sizeof(PendingCall));
    private readonly CallWindow _window;
    private readonly byte[] _atFirst;
    private int _used;
    private ulong _sequence;

    public CallWindowTests()
    {
        _window = new CallWindow(_memory, LinkBytes);
        _atFirst = State();
    }

    public void Dispose()
    {
        NativeMemory.Free(_memory);
        NativeMemory.Free(_calls);
    }

    [Fact]
    public void A_class_that_took_all_it_could_leaves_every_other_class_its_reserve()
    {
        foreach (RpcClass greedy in Enum.GetValues<RpcClass>())
        {
            List<nint> taken = [];
            while (Admit(greedy, 3000, 3000) is var call and not 0)
            {
                taken.Add(call);
            }

            foreach (RpcClass other in Enum.GetValues<RpcClass>().Where(value => value != greedy))
            {
                nint small = Admit(other, 1500, 1500);
                Assert.NotEqual(0, small);
                taken.Add(small);
            }

            taken.ForEach(call => _window.Vacate((PendingCall*)call));
            _used = 0;
        }
    }

    [Fact]
    public void The_longest_message_always_finds_room_as_a_transfer()
    {
        foreach (RpcClass greedy in Enum.GetValues<RpcClass>().Where(value => value != RpcClass.Transfer))
        {
            while (Admit(greedy, 500, 4096) != 0)
            {
            }
        }

        int longest = MessageHeader.MaxBodyBytes + CallWindow.FrameOverheadBytes;
        Assert.Equal(RpcClass.Transfer, CallWindow.ClassFor(RpcClass.DemandFetch, longest, 400));
        Assert.NotEqual(0, Admit(RpcClass.Transfer, longest, longest));
    }

    [Fact]
    public void A_class_borrows_only_while_no_more_urgent_one_waits()
    {
        List<nint> demand = [];
        while (Admit(RpcClass.DemandFetch, 400, 4400) is var call and not 0)
        {
            demand.Add(call);
        }

        PendingCall* waiting = NewCall(RpcClass.DemandFetch, 400, 4400);
        _window.Enqueue(waiting);
        _window.Vacate((PendingCall*)demand[0]);
        Assert.Equal(1u << (int)RpcClass.DemandFetch, _window.QueuedClasses);
        int background = 0;
        while (Admit(RpcClass.Background, 400, 400) != 0)
        {
            background++;
        }

        Assert.Equal(2, background);
        Assert.True(_window.TryAdmit(waiting, out _));
    }

    [Fact]
    public void Whatever_comes_and_goes_the_window_ends_as_it_began()
    {
        Random random = new(7);
        for (int round = 0; round < 200; round++)
        {
            List<nint> under = [];
            for (int step = 0; step < 150; step++)
            {
                if (random.Next(3) == 0 && under.Count != 0)
                {
                    int index = random.Next(under.Count);
                    _window.Vacate((PendingCall*)under[index]);
                    under.RemoveAt(index);
                }
                else if (Admit((RpcClass)random.Next(CallWindow.ClassCount), random.Next(320, 30_000),
                    random.Next(320, 30_000)) is var call and not 0)
                {
                    under.Add(call);
                }

                Assert.Equal(under.Count, _window.Outstanding);
            }

            under.ForEach(call => _window.Vacate((PendingCall*)call));
            _used = 0;
        }

        Assert.Equal(_atFirst, State());
        A_class_that_took_all_it_could_leaves_every_other_class_its_reserve();
    }

    /// <summary>Slots, queues and what each class has left.</summary>
    private byte[] State() => new ReadOnlySpan<byte>(_memory, CallWindow.SizeBytes).ToArray();

    private PendingCall* NewCall(RpcClass wanted, int requestBytes, int replyBytes)
    {
        PendingCall* call = &_calls[_used++];
        *call = default;
        call->RequestWindowBytes = requestBytes;
        call->ReplyWindowBytes = replyBytes;
        call->Class = CallWindow.ClassFor(wanted, requestBytes, replyBytes);
        return call;
    }

    private nint Admit(RpcClass wanted, int requestBytes, int replyBytes)
    {
        PendingCall* call = NewCall(wanted, requestBytes, replyBytes);
        if (!_window.TryAdmit(call, out uint slot))
        {
            _used--;
            return 0;
        }

        call->Id = RequestId.Compose(++_sequence, slot);
        call->State = CallState.Sent;
        _window.Occupy(call, slot);
        return (nint)call;
    }
}
