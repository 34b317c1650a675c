// The memory monitor as the rack sees it: a processor component, a storage component and a manager that talk to it by messages only.

using System;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Memory;

/// <summary>The memory monitor between its three partners, and its requests as methods.</summary>
public abstract unsafe class MemoryMonitorFixture : IDisposable
{
    private protected const int Page = PageOperations.PageSize;
    private protected const ushort P = 1;
    private protected const ushort M = 2;
    private protected const ushort S = 3;
    private protected const ushort G = 4;

    private readonly HostFrames _hostFrames = new(64);

    private protected HostFrames MemoryFrames { get; } = new(32);

    /// <summary>The processor component's endpoint, and the memory component's.</summary>
    private protected RpcEndpoint Processor { get; }

    private protected RpcEndpoint Endpoint { get; }

    private protected StorageStandIn Storage { get; } = new();

    private protected ManagerStandIn Manager { get; } = new();

    private protected MemoryMonitor Monitor { get; }

    private protected MemoryMonitorFixture()
    {
        FrameAllocator frames = _hostFrames.Allocator;
        Poller.Reset();
        Processor = new RpcEndpoint(P, frames, 0);
        RpcEndpoint m = new(M, frames, 0);
        Endpoint = m;
        RpcEndpoint s = new(S, frames, 0);
        RpcEndpoint g = new(G, frames, 0);
        Join(frames, Processor, P, m, M);
        Join(frames, m, M, s, S);
        Join(frames, m, M, g, G);
        s.Register(4, Storage);
        g.Register(5, Manager);
        Monitor = new MemoryMonitor(m, MemoryFrames.Allocator, G, MemoryMonitor.DefaultRegionBytes);
        foreach (RpcEndpoint endpoint in new[] { Processor, m, s, g })
        {
            endpoint.VNodes.Admit(1, [P, M]);
            endpoint.VNodes.Admit(2, [P, M]);
            Poller.Register(endpoint);
        }
    }

    public void Dispose()
    {
        Poller.Reset();
        _hostFrames.Dispose();
        MemoryFrames.Dispose();
        Disposing();
    }

    /// <summary>What a test has besides.</summary>
    protected virtual void Disposing()
    {
    }

    private protected static void Join(FrameAllocator frames, RpcEndpoint low, ushort lowNode, RpcEndpoint high, ushort highNode)
    {
        Assert.Equal(Errno.None, LocalLink.CreatePair(frames, lowNode, highNode, out RingLink? lowLink, out RingLink? highLink));
        low.Attach(highNode, lowLink!);
        high.Attach(lowNode, highLink!);
    }

    private protected static byte[] Filled(byte value) => Enumerable.Repeat(value, Page).ToArray();

    private protected static RpcContext Context(uint asid, ushort vnode = 1) =>
        new() { VNode = vnode, Asid = asid, Class = RpcClass.DemandFetch };

    /// <summary>Text and data in one segment, some bss.</summary>
    private protected static byte[] SmallProgram()
    {
        byte[] bytes = new byte[(2 * Page) + 300];
        new Random(1).NextBytes(bytes);
        byte[] header = [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0, 1, 0, 0, 0];
        header.CopyTo(bytes, 0);
        ulong[] words = [0x40_0100, 64, 0];
        MemoryMarshal.AsBytes(words.AsSpan()).CopyTo(bytes.AsSpan(24));
        ushort[] halves = [0, 0, 64, 56, 1, 0, 0, 0];
        MemoryMarshal.AsBytes(halves.AsSpan()).CopyTo(bytes.AsSpan(48));
        uint[] type = [1, 7];
        MemoryMarshal.AsBytes(type.AsSpan()).CopyTo(bytes.AsSpan(64));
        ulong[] segment = [0, 0x40_0000, 0x40_0000, (ulong)bytes.Length, 6 * Page, Page];
        MemoryMarshal.AsBytes(segment.AsSpan()).CopyTo(bytes.AsSpan(72));
        return bytes;
    }

    private protected void Start(uint asid)
    {
        if (!Storage.Names.ContainsKey("/bin/program"))
        {
            Storage.Add("/bin/program", SmallProgram());
        }

        Assert.Equal(Errno.None, Execute(asid, "/bin/program", out _, out _, out _));
    }

    private protected Errno Execute(uint asid, string path, out ExecuteReply reply, out VmaRecord[] vmas, out RegionRecord[] regions)
    {
        ExecuteRequest request = default;
        request.Storage = S;
        request.File = new FileHandle { Inode = Storage.Names[path], Generation = 9 };
        request.FilePathLength = (ushort)path.Length;
        byte[] body = new byte[65_536];
        Errno error = Processor.Call(M, Opcode.Execute, Context(asid), request, Encoding.UTF8.GetBytes(path), body, out int length);
        reply = error == Errno.None ? MemoryMarshal.Read<ExecuteReply>(body) : default;
        ReadOnlySpan<byte> records = body.AsSpan(sizeof(ExecuteReply));
        vmas = MemoryMarshal.Cast<byte, VmaRecord>(records.Slice(0, (int)reply.VmaCount * sizeof(VmaRecord))).ToArray();
        records = records.Slice(vmas.Length * sizeof(VmaRecord));
        regions = MemoryMarshal.Cast<byte, RegionRecord>(records.Slice(0, (int)reply.RegionCount * sizeof(RegionRecord))).ToArray();
        return error;
    }

    private protected Errno Space<T>(Opcode opcode, uint asid, T request, byte[] payload, out ulong address, out VmaRecord[] vmas)
        where T : unmanaged
    {
        byte[] body = new byte[65_536];
        Errno error = Processor.Call(M, opcode, Context(asid), request, payload, body, out int length);
        SpaceReply reply = length >= sizeof(SpaceReply) ? MemoryMarshal.Read<SpaceReply>(body) : default;
        address = reply.Address;
        vmas = MemoryMarshal.Cast<byte, VmaRecord>(body.AsSpan(sizeof(SpaceReply), (int)reply.VmaCount * sizeof(VmaRecord))).ToArray();
        return error;
    }

    private protected static MapRequest MapOf(ulong length, Protection protection) => new()
    {
        Length = length,
        Protection = protection,
        Flags = (uint)(MapFlags.Private | MapFlags.Anonymous),
    };

    private protected ulong Map(uint asid, ulong length, Protection protection = Protection.Read | Protection.Write)
    {
        Assert.Equal(Errno.None, Space(Opcode.Map, asid, MapOf(length, protection), [], out ulong address, out _));
        return address;
    }

    private protected ulong Break(uint asid, ulong wanted)
    {
        RangeRequest request = new() { Address = wanted };
        Assert.Equal(Errno.None, Space(Opcode.Break, asid, request, [], out ulong address, out _));
        return address;
    }

    private protected Errno Exit(uint asid) => Raw(Opcode.Exit, asid, []);

    private protected Errno Raw(Opcode opcode, uint asid, byte[] body) =>
        Processor.Call(M, opcode, Context(asid), body, [], new byte[65_536], out _);

    private protected byte[] Missed(uint asid, ulong address)
    {
        Assert.Equal(Errno.None, Miss(asid, address, MissAccess.Read, out byte[] page));
        return page;
    }

    private protected Errno Miss(uint asid, ulong address, MissAccess access, out byte[] page, ushort vnode = 1)
    {
        MissRequest request = new() { Address = address, Access = access };
        byte[] reply = new byte[Page];
        Errno error = Processor.Call(M, Opcode.Miss, Context(asid, vnode), request, [], reply, out int length);
        page = reply.AsSpan(0, length).ToArray();
        return error;
    }

    private protected Errno MissFlush(uint asid, ulong address, uint victimAsid, ulong victim, byte value, out byte[] page)
    {
        MissFlushRequest request = default;
        request.Miss = new MissRequest { Address = address, Access = MissAccess.Read };
        request.VictimAddress = victim;
        request.VictimAsid = victimAsid;
        byte[] reply = new byte[Page];
        Errno error = Processor.Call(M, Opcode.MissFlush, Context(asid), request, Filled(value), reply, out int length);
        page = reply.AsSpan(0, length).ToArray();
        return error;
    }

    private protected Errno Flush(uint asid, params (ulong Address, byte Value)[] pages)
    {
        FlushRequest request = new() { Count = (uint)pages.Length, Pages = (uint)pages.Length };
        FlushEntry[] entries = pages.Select((page, index) => new FlushEntry { Address = page.Address, Asid = asid, Page = (uint)index })
            .ToArray();
        byte[] payload = [.. MemoryMarshal.AsBytes(entries.AsSpan()), .. pages.SelectMany(page => Filled(page.Value))];
        return Processor.Call(M, Opcode.Flush, Context(asid), request, payload, [], out _);
    }

    private protected Errno FlushToAll(FlushEntry[] owners, byte value)
    {
        FlushRequest request = new() { Count = (uint)owners.Length, Pages = 1 };
        byte[] payload = [.. MemoryMarshal.AsBytes(owners.AsSpan()), .. Filled(value)];
        return Processor.Call(M, Opcode.Flush, Context(owners[0].Asid), request, payload, [], out _);
    }

    private protected Errno FileCall(
        Opcode opcode, FileHandle handle, ulong offset, uint length, byte[] bytes, out byte[] reply, string path = "/data",
        ushort storage = S)
    {
        FileRequest request = default;
        request.Handle = handle;
        request.Offset = offset;
        request.Length = length;
        request.Storage = storage;
        request.PathLength = (ushort)path.Length;
        byte[] body = new byte[FileRequest.MaxTransfer];
        Errno error = Processor.Call(M, opcode, Context(5), request, [.. Encoding.UTF8.GetBytes(path), .. bytes], body,
            out int replyLength);
        reply = body.AsSpan(0, replyLength).ToArray();
        return error;
    }

    private protected ulong Counter(string name) => CounterOf(Monitor, name);

    private protected static ulong CounterOf(MemoryMonitor monitor, string name)
    {
        byte[] buffer = new byte[8192];
        StatisticsWriter writer = new(buffer);
        monitor.Report(ref writer);
        Assert.False(writer.Truncated);
        string[] lines = Encoding.ASCII.GetString(writer.Text).Split('\n');
        return ulong.Parse(lines.Single(line => line.StartsWith(name + " ", StringComparison.Ordinal)).Split(' ')[1]);
    }

    private protected sealed class Departures(MemoryMonitor monitor) : PeerWatcher
    {
        public override void Departed(ushort node) => monitor.Departed(node);
    }
}
