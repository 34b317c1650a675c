// Who may remember what (LeaseMessages.cs): the granter's side of leases, the same at a storage and at a memory component. A table of
// masks, one bit for a 64th of all node numbers, found by key: bounded, without a list to keep and nothing to evict, because a bit too many
// only costs a Recall that finds nothing. Soft state, gone with this life of the component; holders forget what its former life granted
// when they hear of its end (PeerWatcher).
//
// The rule, for each key: a component that remembers something under the key has its bit set, unless a Recall to it is under way; those go
// one after the other. Before something is changed Recall takes the bits away and waits for the answers, and the change happens before
// anything is granted again: at a storage component under the volume's lock, at a memory component because the caller looks again
// (HasOthers) in the same atomic piece of code that makes the change.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Common.Leases;

/// <summary>Components by the keys under which they remember something.</summary>
public sealed unsafe class LeaseHolders
{
    private const uint BucketCount = 4096;
    private const int BucketShift = 20;
    private const int NodesPerMask = 64;
    private const ulong RetryNs = 10_000_000;

    private readonly RpcEndpoint _rpc;
    private readonly ulong* _masks;
    /// <summary>Who may remember anything at all.</summary>
    private ulong _all;
    private SleepLock _recalling;
    /// <summary>Somebody whose bit is gone has yet to answer: whoever finds no bit has to wait for the lock.</summary>
    private bool _isAsking;
    private ulong _recalls;

    /// <summary>Takes the table; boot time. Panics without memory.</summary>
    public LeaseHolders(RpcEndpoint rpc, FrameAllocator frames)
    {
        const ulong pages = BucketCount * sizeof(ulong) / PageOperations.PageSize;
        _rpc = rpc;
        _masks = (ulong*)frames.AllocateContiguous(pages);
        if (_masks == null)
        {
            Panic.Because("LeaseHolders: no memory");
        }

        for (ulong page = 0; page < pages; page++)
        {
            PageOperations.Clear((byte*)_masks + (page * PageOperations.PageSize));
        }
    }

    /// <summary>A component may remember something under a key from now on.</summary>
    public void Grant(uint key, ushort node)
    {
        _masks[key >> BucketShift] |= Bit(node);
        _all |= Bit(node);
    }

    /// <summary>True when somebody besides a node may remember something under the key, or is only just being told.</summary>
    public bool HasOthers(uint key, ushort node) => ((_masks[key >> BucketShift] & ~Bit(node)) != 0) || _isAsking;

    /// <summary>
    /// Everybody but one node (0: nobody excepted) has forgotten what is under these keys. BLOCKS until they answer or are gone.
    /// </summary>
    public void Recall(ref LeaseKeys keys, ushort except)
    {
        fixed (LeaseKeys* list = &keys)
        {
            Recall(LeaseKeys.Of(list), keys.Count == LeaseKeys.Everything, except);
        }
    }

    /// <summary>The same for one key.</summary>
    public void Recall(uint key, ushort except) => Recall(new ReadOnlySpan<uint>(in key), isEverything: false, except);

    /// <summary>Counters; the name says whose.</summary>
    public void Report(ref StatisticsWriter writer, ReadOnlySpan<byte> name) => writer.Add(name, _recalls);

    private static ulong Bit(ushort node) => 1UL << (node % NodesPerMask);

    private void Recall(ReadOnlySpan<uint> keys, bool isEverything, ushort except)
    {
        if (!_isAsking && Holders(keys, isEverything, except) == 0)
        {
            return;
        }

        using SleepLock.Guard _ = _recalling.Acquire();
        // Whoever was told while this waited for the lock has no bit any more.
        ulong holders = Holders(keys, isEverything, except);
        Take(keys, isEverything, holders);
        _isAsking = holders != 0;
        for (ushort node = 1; node <= RpcEndpoint.MaxNode && holders != 0; node++)
        {
            if ((holders & Bit(node)) != 0)
            {
                Ask(node, keys, isEverything);
            }
        }

        _isAsking = false;
    }

    private ulong Holders(ReadOnlySpan<uint> keys, bool isEverything, ushort except)
    {
        ulong holders = isEverything ? _all : 0;
        foreach (uint key in keys)
        {
            holders |= _masks[key >> BucketShift];
        }

        return except == 0 ? holders : holders & ~Bit(except);
    }

    private void Take(ReadOnlySpan<uint> keys, bool isEverything, ulong holders)
    {
        for (uint bucket = 0; isEverything && bucket < BucketCount; bucket++)
        {
            _masks[bucket] &= ~holders;
        }

        foreach (uint key in keys)
        {
            _masks[key >> BucketShift] &= ~holders;
        }
    }

    /// <summary>Until it has answered, or its life has ended, it may remember: nothing else counts as an answer.</summary>
    private void Ask(ushort node, ReadOnlySpan<uint> keys, bool isEverything)
    {
        RecallRequest request = new() { Count = isEverything ? LeaseKeys.Everything : (uint)keys.Length };
        RpcContext context = default;
        _recalls++;
        while (true)
        {
            Errno error = _rpc.Call(node, Opcode.Recall, in context, in request, MemoryMarshal.AsBytes(keys), default, out _);
            if (error is not (Errno.ETIMEDOUT or Errno.ENOMEM or Errno.ESTALE) || _rpc.IsDown(node) || _rpc.IsFenced)
            {
                return;
            }

            Scheduler.Sleep(RetryNs);
        }
    }
}
