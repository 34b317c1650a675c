// A memory component's parts over host memory, with a storage component that is a dictionary and regions that are always granted.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Memory;

/// <summary>Files by inode and by path; a volume of limited size when asked.</summary>
internal sealed unsafe class FakeFileStore : FileStore
{
    internal sealed class StoredFile
    {
        internal byte[] Bytes = [];
        internal uint Mode = 0x81ED;
        internal uint Inode;
        internal ulong ModifyTimeNs;
    }

    internal readonly Dictionary<uint, StoredFile> Files = [];
    internal readonly Dictionary<string, uint> Names = [];
    internal ulong CapacityBytes = 1UL << 40;
    internal int Reads;
    internal int Writes;
    internal int Syncs;
    /// <summary>Writes that asked for all to be on the device.</summary>
    internal int SynchronousWrites;
    /// <summary>What the device says to them, after the bytes were taken.</summary>
    internal Errno DeviceError;
    internal int Statuses;
    /// <summary>Runs before each read, as other requests do while a worker waits.</summary>
    internal Action? DuringRead;
    internal Errno FailWritesWith;
    /// <summary>Runs before each write, as other requests do while a worker waits.</summary>
    internal Action? DuringWrite;
    /// <summary>Pages that the cache has been granted and not used.</summary>
    internal ulong ReservedPages;
    internal ulong MaxFileBytes = 1UL << 44;
    internal int Reserves;

    internal ulong UsedBytes => (ulong)Files.Values.Sum(file => (long)AddressLayout.PageUp((ulong)file.Bytes.Length));

    internal StoredFile Add(string path, byte[] bytes, uint mode = 0x81ED)
    {
        uint inode = (uint)(11 + Files.Count);
        StoredFile file = new() { Bytes = bytes, Inode = inode, Mode = mode };
        Files[inode] = file;
        Names[path] = inode;
        return file;
    }

    internal static FileHandle HandleOf(StoredFile file) => new() { Inode = file.Inode, Generation = 1 };

    public override Errno Find(ushort vnode, ushort storage, ReadOnlySpan<byte> path, TransferBuffer* buffer, out FileAttributes attributes)
    {
        attributes = default;
        if (!Names.TryGetValue(Encoding.UTF8.GetString(path), out uint inode))
        {
            return Errno.ENOENT;
        }

        attributes = Describe(Files[inode]);
        return Errno.None;
    }

    public override Errno Status(CachedFile* file, ushort holder, TransferBuffer* buffer, out FileAttributes attributes)
    {
        Statuses++;
        attributes = default;
        if (!Files.TryGetValue(file->Handle.Inode, out StoredFile? stored))
        {
            return Errno.ESTALE;
        }

        attributes = Describe(stored);
        return Errno.None;
    }

    public override Errno Read(CachedFile* file, ulong offset, uint lengthBytes, TransferBuffer* buffer, out int readBytes)
    {
        Reads++;
        readBytes = 0;
        if (!Files.TryGetValue(file->Handle.Inode, out StoredFile? stored))
        {
            return Errno.ESTALE;
        }

        readBytes = (int)Math.Min(lengthBytes, (ulong)stored.Bytes.Length - Math.Min((ulong)stored.Bytes.Length, offset));
        stored.Bytes.AsSpan((int)Math.Min(offset, (ulong)stored.Bytes.Length), readBytes).CopyTo(buffer->Data);
        DuringRead?.Invoke();
        return Errno.None;
    }

    /// <summary>vNodes whose questions about files are refused.</summary>
    internal HashSet<ushort> Refused { get; } = [];

    public override Errno Confirm(CachedFile* file, ushort vnode, TransferBuffer* buffer) =>
        Refused.Contains(vnode) ? Errno.EPERM : Errno.None;

    public override Errno Reserve(ushort storage, in ReserveRequest request, TransferBuffer* buffer, out ReserveReply reply)
    {
        Reserves++;
        reply = new ReserveReply { MaxFileBytes = MaxFileBytes };
        Assert.True(request.Returned <= ReservedPages);
        ReservedPages -= request.Returned;
        ulong free = FreePages;
        if (request.Wanted > 0 && free >= request.Least)
        {
            reply.Granted = request.Least + (uint)Math.Min((free - request.Least) / 16, request.Wanted - request.Least);
            ReservedPages += reply.Granted;
        }

        return Errno.None;
    }

    internal ulong FreePages =>
        (CapacityBytes - Math.Min(CapacityBytes, UsedBytes + (ReservedPages * PageOperations.PageSize))) / PageOperations.PageSize;

    public override Errno Write(CachedFile* file, ulong offset, ReadOnlySpan<byte> bytes, ulong modifyTimeNs, FileWriteFlags flags,
        TransferBuffer* buffer, out FileWriteReply reply)
    {
        Writes++;
        reply = default;
        DuringWrite?.Invoke();
        if (FailWritesWith != Errno.None)
        {
            return FailWritesWith;
        }

        if (!Files.TryGetValue(file->Handle.Inode, out StoredFile? stored))
        {
            return Errno.ESTALE;
        }

        int written = bytes.Length;
        ulong growth = AddressLayout.PageUp(Math.Max((ulong)stored.Bytes.Length, offset + (ulong)bytes.Length))
            - AddressLayout.PageUp((ulong)stored.Bytes.Length);
        bool isReserved = (flags & FileWriteFlags.Reserved) != 0;
        ulong free = isReserved ? CapacityBytes - UsedBytes : FreePages * PageOperations.PageSize;
        if (growth > free)
        {
            ulong end = AddressLayout.PageUp((ulong)stored.Bytes.Length) + AddressLayout.PageDown(free);
            written = end > offset ? (int)Math.Min((ulong)written, end - offset) : 0;
        }

        if (written == 0 && bytes.Length > 0)
        {
            return Errno.ENOSPC;
        }

        if (isReserved)
        {
            ulong pages = (ulong)(written == bytes.Length ? written + PageOperations.PageSize - 1 : written) / PageOperations.PageSize;
            Assert.True(pages <= ReservedPages);
            ReservedPages -= pages;
        }

        ulong size = Math.Max((ulong)stored.Bytes.Length, offset + (ulong)written);
        Array.Resize(ref stored.Bytes, (int)size);
        bytes.Slice(0, written).CopyTo(stored.Bytes.AsSpan((int)offset));
        stored.ModifyTimeNs = modifyTimeNs != 0 ? modifyTimeNs : Clock.UnixTimeNs();
        reply.Written = (uint)written;
        reply.Offset = offset;
        reply.Size = size;
        reply.VolumeFreeBytes = CapacityBytes - UsedBytes;
        bool isSynchronous = (flags & FileWriteFlags.Synchronous) != 0;
        SynchronousWrites += isSynchronous ? 1 : 0;
        return isSynchronous ? DeviceError : Errno.None;
    }

    public override Errno Truncate(CachedFile* file, ulong size, ulong modifyTimeNs, ushort requester, TransferBuffer* buffer)
    {
        if (!Files.TryGetValue(file->Handle.Inode, out StoredFile? stored))
        {
            return Errno.ESTALE;
        }

        Array.Resize(ref stored.Bytes, (int)size);
        stored.ModifyTimeNs = modifyTimeNs != 0 ? modifyTimeNs : Clock.UnixTimeNs();
        return Errno.None;
    }

    public override Errno Sync(ushort storage, CachedFile* file, TransferBuffer* buffer)
    {
        Syncs++;
        return Errno.None;
    }

    private static FileAttributes Describe(StoredFile file) => new()
    {
        Handle = HandleOf(file),
        Mode = file.Mode,
        Links = 1,
        Size = (ulong)file.Bytes.Length,
        ModifyTimeNs = file.ModifyTimeNs,
    };
}

/// <summary>Grants every region to one owner.</summary>
internal sealed class GrantingBroker(ushort owner) : RegionBroker
{
    internal int Consultations;

    public override Errno Consult(
        ushort vnode, uint asid, in RegionDemand demand, Span<OwnerRun> runs, out int count, out ulong rackBytes)
    {
        Consultations++;
        runs[0] = new OwnerRun { Owner = owner, Count = uint.MaxValue };
        count = 1;
        rackBytes = 0;
        return Errno.None;
    }
}

/// <summary>All parts below the services.</summary>
internal sealed unsafe class MemoryFixture : IDisposable
{
    internal const ushort Node = 2;
    internal const ushort VNode = 1;
    internal const ushort Storage = 3;

    private readonly HostFrames _memory;

    internal MemoryFixture(ulong megabytes, ulong regionBytes = 1UL << 30)
    {
        _memory = new HostFrames(megabytes);
        Pool = new FramePool(Frames);
        Map = new FrameMap(Frames, Pool);
        Files = new FileCache(Frames, Pool, Store);
        Spaces = new AddressSpaces(Frames, Pool, Map, Files, regionBytes, Node);
        Loader = new ProgramLoader(Spaces, Map, Files);
    }

    internal FrameAllocator Frames => _memory.Allocator;

    internal FakeFileStore Store { get; } = new();

    internal GrantingBroker Broker { get; } = new(Node);

    internal FramePool Pool { get; }

    internal FrameMap Map { get; }

    internal FileCache Files { get; }

    internal AddressSpaces Spaces { get; }

    internal ProgramLoader Loader { get; }

    public void Dispose() => _memory.Dispose();

    /// <summary>What the reaper does in the background.</summary>
    internal void ReapAll()
    {
        while (Map.TryReclaim())
        {
        }
    }

    internal AddressSpace* NewSpace(uint asid)
    {
        if (Spaces.Create(VNode, asid, out AddressSpace* space) != Errno.None || Spaces.Publish(space) != Errno.None)
        {
            throw new InvalidOperationException("no space");
        }

        AddressSpaces.SetBreakStart(space, AddressLayout.PositionIndependentBase);
        return space;
    }

    /// <summary>Map with the regions that it asks for.</summary>
    internal Errno MapGranted(AddressSpace* space, in MapWish wish, out ulong address)
    {
        while (true)
        {
            Errno error = Spaces.Map(space, wish, out address, out RegionDemand demand);
            if (error != Errno.EINPROGRESS)
            {
                return error;
            }

            Spaces.ActivateRegions(space, demand, Node);
        }
    }

    /// <summary>The file's record, held.</summary>
    internal CachedFile* Hold(FakeFileStore.StoredFile stored, string path = "/file")
    {
        byte[] name = Encoding.UTF8.GetBytes(path);
        if (Files.FindOrAdd(VNode, Storage, FakeFileStore.HandleOf(stored), name, out CachedFile* file) != Errno.None)
        {
            throw new InvalidOperationException("no file record");
        }

        FileCache.Hold(file);
        return file;
    }

    /// <summary>Frames that something holds, tables included.</summary>
    internal ulong UsedFrames => Frames.TotalPages - Frames.FreePages;
}
