// An ExCache on the host: one address space, a program that is simulated by walking its page table as the hardware would, and a memory
// component that is a dictionary of pages behind a real RPC endpoint. Everything below the fault handler is the image's own code.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Lego.Tests.Common;

namespace Lego.Tests.Processor;

/// <summary>Pages by address space and address; counts requests.</summary>
internal sealed unsafe class FakeMemory : RpcService
{
    internal readonly Dictionary<(uint Asid, ulong Address), byte[]> Pages = [];
    /// <summary>In whose name each page has come.</summary>
    internal readonly Dictionary<uint, ushort> VNodes = [];
    internal readonly Dictionary<Opcode, int> Requests = [];
    internal Errno MissError;
    internal Errno FlushError;
    /// <summary>Called while a request is under way.</summary>
    internal Action? Meanwhile;

    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        Requests[request.Opcode] = Requests.GetValueOrDefault(request.Opcode) + 1;
        Meanwhile?.Invoke();
        switch (request.Opcode)
        {
            case Opcode.Miss:
                request.TryReadHead(out MissRequest miss, out _);
                Answer(ref request, in miss);
                break;
            case Opcode.MissFlush:
                request.TryReadHead(out MissFlushRequest both, out ReadOnlySpan<byte> victim);
                if (FlushError != Errno.None)
                {
                    request.Reply(FlushError);
                    break;
                }

                Pages[(both.VictimAsid, both.VictimAddress)] = victim.ToArray();
                VNodes[both.VictimAsid] = request.VNode;
                Answer(ref request, in both.Miss);
                break;
            case Opcode.Flush:
                request.TryReadHead(out FlushRequest flush, out ReadOnlySpan<byte> rest);
                if (FlushError != Errno.None)
                {
                    request.Reply(FlushError);
                    break;
                }

                ReadOnlySpan<FlushEntry> entries = MemoryMarshal.Cast<byte, FlushEntry>(rest[..((int)flush.Count * sizeof(FlushEntry))]);
                ReadOnlySpan<byte> pages = rest[((int)flush.Count * sizeof(FlushEntry))..];
                for (int index = 0; index < entries.Length; index++)
                {
                    Pages[(entries[index].Asid, entries[index].Address)] = pages.Slice((int)entries[index].Page * 4096, 4096).ToArray();
                    VNodes[entries[index].Asid] = request.VNode;
                }

                request.Reply(Errno.None);
                break;
            default:
                request.Reply(Errno.EOPNOTSUPP);
                break;
        }

        return RpcDisposition.Done;
    }

    private void Answer(ref RpcRequest request, in MissRequest miss)
    {
        if (MissError != Errno.None)
        {
            request.Reply(MissError);
            return;
        }

        Pages.TryGetValue((request.Asid, miss.Address), out byte[]? page);
        request.Reply(Errno.None, page);
    }
}

/// <summary>The machine around one simulated program.</summary>
internal sealed unsafe class ExCacheFixture : IDisposable
{
    internal const ulong Base = 0x10_0000_0000;
    internal const ulong RangeBytes = 1UL << 32;
    internal const uint FirstAsid = 7;
    private const ushort ProcessorNode = 1;
    private const ushort MemoryNode = 2;

    private readonly HostFrames _frames = new(megabytes: 48);
    private readonly List<nint> _spaces = [];
    private readonly AddressSpace* _space;
    private readonly RpcEndpoint _memory;

    internal ExCacheFixture(int lines, int ways, PolicyKind policy, bool piggyback = true, ulong seed = 1)
    {
        FrameAllocator frames = _frames.Allocator;
        if (LocalLink.CreatePair(frames, ProcessorNode, MemoryNode, out RingLink? low, out RingLink? high) != Errno.None)
        {
            throw new InvalidOperationException("no memory");
        }

        RpcEndpoint processor = new(ProcessorNode, frames, 0);
        RpcEndpoint memory = new(MemoryNode, frames, 0);
        processor.Attach(MemoryNode, low!);
        memory.Attach(ProcessorNode, high!);
        memory.Register((byte)((ushort)Opcode.Miss >> 8), Memory);
        _memory = memory;
        Poller.Reset();
        Poller.Register(processor);
        Poller.Register(memory);
        Cache = new ExCache(frames, processor, new ExCacheOptions
        {
            SizeBytes = (ulong)lines * 4096,
            Ways = ways,
            Policy = policy,
            Piggyback = piggyback,
            TraceVictims = true,
            Seed = seed,
        });
        _space = AddSpace(FirstAsid);
        SetRanges(new VmaRecord
        {
            Start = Base,
            End = Base + RangeBytes,
            Kind = VmaKind.Anonymous,
            Protection = Protection.Read | Protection.Write,
        });
    }

    internal ExCache Cache { get; }

    internal FakeMemory Memory { get; } = new();

    internal AddressSpace* Space => _space;

    internal FrameAllocator Frames => _frames.Allocator;

    public void Dispose()
    {
        Poller.Reset();
        foreach (nint space in _spaces)
        {
            NativeMemory.Free((void*)space);
        }

        _frames.Dispose();
    }

    /// <summary>The spaces of the processor component may be a vNode's.</summary>
    internal void Admit(ushort vnode) => _memory.VNodes.Admit(vnode, [ProcessorNode]);

    /// <summary>One more address space, without ranges.</summary>
    internal AddressSpace* AddSpace(uint asid)
    {
        AddressSpace* space = (AddressSpace*)NativeMemory.AllocZeroed((nuint)sizeof(AddressSpace));
        space->Asid = asid;
        space->Home = MemoryNode;
        space->PageTableRoot = PageTable.CreateUser(_frames.Allocator);
        _spaces.Add((nint)space);
        return space;
    }

    internal void SetRanges(params VmaRecord[] ranges) => SetRanges(_space, ranges);

    internal void SetRanges(AddressSpace* space, params VmaRecord[] ranges) =>
        space->Apply(_frames.Allocator, (uint)ranges.Length, 0, MemoryMarshal.AsBytes(ranges.AsSpan()));

    /// <summary>The byte that a load reads, or why it faults.</summary>
    internal FaultOutcome Load(ulong address, out byte value) => Load(_space, address, out value);

    internal FaultOutcome Load(AddressSpace* space, ulong address, out byte value)
    {
        value = 0;
        FaultOutcome outcome = Access(space, address, MissAccess.Read, out byte* at);
        if (outcome == FaultOutcome.Resident)
        {
            value = *at;
        }

        return outcome;
    }

    /// <summary>Stores a byte.</summary>
    internal FaultOutcome Store(ulong address, byte value) => Store(_space, address, value);

    internal FaultOutcome Store(AddressSpace* space, ulong address, byte value)
    {
        FaultOutcome outcome = Access(space, address, MissAccess.Write, out byte* at);
        if (outcome == FaultOutcome.Resident)
        {
            *at = value;
        }

        return outcome;
    }

    internal ulong Counter(string name) => ulong.Parse(Statistics()["processor.excache." + name], CultureInfo.InvariantCulture);

    /// <summary>All victims so far, at most the trace's capacity.</summary>
    internal List<ulong> Victims()
    {
        Dictionary<string, string> lines = Statistics();
        List<ulong> victims = [];
        for (int number = 0; lines.TryGetValue($"processor.excache.victim.{number}", out string? value); number++)
        {
            victims.Add(ulong.Parse(value, CultureInfo.InvariantCulture));
        }

        return victims;
    }

    private Dictionary<string, string> Statistics()
    {
        byte[] buffer = new byte[64 * 1024];
        StatisticsWriter writer = new(buffer);
        Cache.Report(ref writer);
        Dictionary<string, string> lines = [];
        foreach (string line in Encoding.ASCII.GetString(writer.Text).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] parts = line.Split(' ');
            lines[parts[0]] = parts[1];
        }

        return lines;
    }

    private FaultOutcome Access(AddressSpace* space, ulong address, MissAccess access, out byte* at)
    {
        at = null;
        ulong* entry = PageTable.Find(space->PageTableRoot, address);
        if (entry == null || !PageState.IsPresent(*entry) || !PageState.Allows(*entry, access))
        {
            FaultOutcome outcome = Cache.Resolve(space, address, access, LinePlacement.OwnSet, out entry);
            if (outcome != FaultOutcome.Resident)
            {
                return outcome;
            }
        }
        // What the hardware does on every access.
        *entry |= access == MissAccess.Write ? PageTable.Accessed | PageTable.Dirty : PageTable.Accessed;
        at = ExCache.PageOf(*entry) + (address & 4095);
        return FaultOutcome.Resident;
    }
}
