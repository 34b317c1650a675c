// A storage monitor and a client of it, joined by an in-memory link: tests speak to it in messages only, as the rest of the rack does.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage;
using Lego.Storage.Ext4;

namespace Lego.Tests.Storage;

/// <summary>One entry of a directory listing.</summary>
public readonly record struct ListedName(string Name, uint Inode, byte Type);

/// <summary>Requests of opcode group 4 as methods.</summary>
public sealed unsafe class StorageFixture : IDisposable
{
    private const ulong MemoryPages = 8192;
    public const ushort ClientNode = 1;
    private const ushort StorageNode = 2;

    private readonly void* _memory = NativeMemory.AlignedAlloc((nuint)(MemoryPages * PageOperations.PageSize), PageOperations.PageSize);
    private readonly RpcEndpoint _client;
    private readonly RpcEndpoint _server;
    private bool _clientDeparts;
    private readonly byte[] _reply = new byte[64 * 1024];

    public StorageFixture(VolumeImage image, uint cacheBlocks = 256, bool remount = true)
    {
        FrameAllocator frames = new(_memory, MemoryPages);
        Monitor = new StorageMonitor(remount ? image.Mount(cacheBlocks) : image.Volume, frames);
        _client = new RpcEndpoint(ClientNode, frames, 0);
        RpcEndpoint server = new(StorageNode, frames, 0);
        server.Register(StorageMonitor.OpcodeGroup, new Between(this));
        server.Watch(new Watcher(this));
        _server = server;
        LocalLink.CreatePair(frames, ClientNode, StorageNode, out RingLink? near, out RingLink? far);
        _client.Attach(StorageNode, near!);
        server.Attach(ClientNode, far!);
        Poller.Reset();
        Poller.Register(_client);
        Poller.Register(server);
    }

    public StorageMonitor Monitor { get; }

    /// <summary>The user that requests are made for.</summary>
    public uint User { get; set; }

    /// <summary>The vNode that requests are made for; the client must have been admitted to it.</summary>
    public ushort VNode { get; set; }

    /// <summary>Lets the client speak for a vNode.</summary>
    public void Admit(ushort vnode) => _server.VNodes.Admit(vnode, [ClientNode]);

    /// <summary>When requests are made; 0: the storage component's own clock says.</summary>
    public ulong NowNs { get; set; }

    public void Dispose()
    {
        Poller.Reset();
        NativeMemory.AlignedFree(_memory);
    }

    /// <summary>The client's life ends when its next request is taken and not yet served, as while it waits for the lock.</summary>
    public void DepartWithinNextRequest() => _clientDeparts = true;

    /// <summary>A counter of the monitor.</summary>
    public ulong Counter(string name)
    {
        StatisticsWriter writer = new(new byte[8192]);
        Monitor.Report(ref writer);
        string line = Encoding.ASCII.GetString(writer.Text).Split('\n')
            .Single(line => line.StartsWith(name + " ", StringComparison.Ordinal));
        return ulong.Parse(line[(name.Length + 1)..], CultureInfo.InvariantCulture);
    }

    private sealed class Watcher(StorageFixture storage) : PeerWatcher
    {
        public override void Departed(ushort node) => storage.Monitor.Departed(node);
    }

    /// <summary>Hands requests on, and lets happen what happens between two steps of the endpoint's worker.</summary>
    private sealed class Between(StorageFixture storage) : RpcService
    {
        public override RpcDisposition TryHandle(ref RpcRequest request) => storage.Monitor.TryHandle(ref request);

        public override bool IsIdempotent(Opcode opcode) => storage.Monitor.IsIdempotent(opcode);

        public override void Handle(ref RpcRequest request)
        {
            if (storage._clientDeparts)
            {
                storage._server.MarkDown(ClientNode, storage._client.Incarnation);
                storage._client.MarkDown(StorageNode, storage._server.Incarnation);
            }

            storage.Monitor.Handle(ref request);
        }
    }

    public Errno Open(string path, PathFlags flags, out FileAttributes attributes, uint mode = 0x1A4, uint access = 0) =>
        Open(path, flags, out attributes, out _, out _, mode, access);

    public Errno Open(
        string path,
        PathFlags flags,
        out FileAttributes attributes,
        out string canonical,
        out bool created,
        uint mode = 0x1A4,
        uint access = 0)
    {
        OpenRequest head = new() { Path = Head(path, flags), Mode = mode, Access = access };
        Errno error = Call(Opcode.Open, head, Encoding.UTF8.GetBytes(path), out ReadOnlySpan<byte> reply);
        OpenReply open = error == Errno.None ? MemoryMarshal.Read<OpenReply>(reply) : default;
        attributes = open.Attributes;
        created = open.Created != 0;
        canonical = error == Errno.None ? Encoding.UTF8.GetString(reply.Slice(sizeof(OpenReply), open.PathLength)) : "";
        return error;
    }

    public Errno OpenHandle(FileHandle handle, uint access, out FileAttributes attributes)
    {
        OpenRequest head = new() { Path = Head(""), Access = access };
        head.Path.Handle = handle;
        Errno error = Call(Opcode.Open, head, [], out ReadOnlySpan<byte> reply);
        attributes = error == Errno.None ? MemoryMarshal.Read<OpenReply>(reply).Attributes : default;
        return error;
    }

    /// <summary>
    /// Open of a path relative to a directory whose own path is <paramref name="hint"/> or unknown (""); after EREMOTE the rest of the path
    /// is in <paramref name="canonical"/>.
    /// </summary>
    public Errno OpenAt(FileHandle directory, string hint, string path, PathFlags flags, out string canonical,
        out FileAttributes attributes)
    {
        OpenRequest head = new() { Path = Head(hint + path, flags | (directory.Inode != 0 ? PathFlags.At : PathFlags.None)), Mode = 0x1A4 };
        head.Path.Handle = directory;
        head.Path.StartLength = LengthOf(hint);
        Errno error = Call(Opcode.Open, head, Encoding.UTF8.GetBytes(hint + path), out ReadOnlySpan<byte> reply);
        OpenReply open = error == Errno.None ? MemoryMarshal.Read<OpenReply>(reply) : default;
        attributes = open.Attributes;
        canonical = Encoding.UTF8.GetString(error == Errno.None ? reply.Slice(sizeof(OpenReply), open.PathLength) : reply);
        return error;
    }

    /// <summary>MakeNode of a path relative to a directory.</summary>
    public Errno MakeAt(FileHandle directory, string path, uint mode, out FileAttributes attributes)
    {
        MakeNodeRequest head = new() { Path = Head(path, PathFlags.At), Mode = mode };
        head.Path.Handle = directory;
        Errno error = Call(Opcode.MakeNode, head, Encoding.UTF8.GetBytes(path), out ReadOnlySpan<byte> reply);
        return Attributes(error, reply, out attributes);
    }

    /// <summary>Unlink of a path relative to a directory.</summary>
    public Errno UnlinkAt(FileHandle directory, string path)
    {
        UnlinkRequest head = new() { Path = Head(path, PathFlags.At) };
        head.Path.Handle = directory;
        return Call(Opcode.Unlink, head, Encoding.UTF8.GetBytes(path), out _);
    }

    /// <summary>For each entry 1 when its file has gone with this.</summary>
    public uint[] Release(params (FileHandle Handle, uint Holds)[] entries) => Release(0, entries);

    /// <summary>The same for files that were read at a time.</summary>
    public uint[] Release(ulong readAtNs, params (FileHandle Handle, uint Holds)[] entries)
    {
        ReleaseRequest head = new() { Count = (uint)entries.Length };
        ReleaseRecord[] wire = Array.ConvertAll(
            entries,
            entry =>
                new ReleaseRecord { Entry = new ReleaseEntry { Handle = entry.Handle, Holds = entry.Holds }, AccessTimeNs = readAtNs });
        byte[] body = MemoryMarshal.AsBytes<ReleaseRecord>(wire).ToArray();
        return Call(Opcode.Release, head, body, out ReadOnlySpan<byte> reply) == Errno.None
            ? MemoryMarshal.Cast<byte, uint>(reply).ToArray()
            : [];
    }

    public Errno MakeNode(string path, uint mode, string target = "", uint device = 0)
    {
        byte[] text = Encoding.UTF8.GetBytes(target);
        MakeNodeRequest head = new() { Path = Head(path), Mode = mode, DeviceNumber = device, TargetLength = (ushort)text.Length };
        return Call(Opcode.MakeNode, head, [.. Encoding.UTF8.GetBytes(path), .. text], out _);
    }

    public Errno Unlink(string path, PathFlags flags, out UnlinkReply lost)
    {
        UnlinkRequest head = new() { Path = Head(path, flags) };
        Errno error = Call(Opcode.Unlink, head, Encoding.UTF8.GetBytes(path), out ReadOnlySpan<byte> reply);
        lost = error == Errno.None ? MemoryMarshal.Read<UnlinkReply>(reply) : default;
        return error;
    }

    public Errno Rename(string from, string to, PathFlags flags, out RenameReply replaced)
    {
        Errno error = CallWithTwoPaths(Opcode.Rename, from, to, flags, out ReadOnlySpan<byte> reply);
        replaced = error == Errno.None ? MemoryMarshal.Read<RenameReply>(reply) : default;
        return error;
    }

    public Errno Link(string from, string to, PathFlags flags = PathFlags.NoFollow) =>
        CallWithTwoPaths(Opcode.Link, from, to, flags, out _);

    /// <summary>Another name for a file that is named by its handle.</summary>
    public Errno LinkHandle(FileHandle handle, string to)
    {
        TwoPathRequest head = new() { Old = Head(""), NewLength = LengthOf(to) };
        head.Old.Handle = handle;
        return Call(Opcode.Link, head, Encoding.UTF8.GetBytes(to), out _);
    }

    public Errno ReadLink(string path, out string target)
    {
        Errno error = Call(Opcode.ReadLink, Head(path), Encoding.UTF8.GetBytes(path), out ReadOnlySpan<byte> reply);
        int length = error == Errno.None ? MemoryMarshal.Read<ReadLinkReply>(reply).TargetLength : 0;
        target = Encoding.UTF8.GetString(reply.Slice(error == Errno.None ? sizeof(ReadLinkReply) : 0, length));
        return error;
    }

    /// <summary>All entries, fetched with room for <paramref name="roomBytes"/> at a time.</summary>
    public Errno List(string path, List<ListedName> names, uint roomBytes = 4096, Action<ListedName>? afterEach = null,
        FileHandle handle = default)
    {
        ulong cookie = 0;
        while (true)
        {
            ReadDirectoryRequest head = new() { Path = Head(path), Cookie = cookie, MaxBytes = roomBytes };
            head.Path.Handle = handle;
            Errno error = Call(Opcode.ReadDirectory, head, Encoding.UTF8.GetBytes(path), out ReadOnlySpan<byte> reply);
            if (error != Errno.None || reply.Length == 0)
            {
                return error;
            }

            List<ListedName> part = [];
            while (reply.Length > 0)
            {
                DirectoryEntryHeader entry = MemoryMarshal.Read<DirectoryEntryHeader>(reply);
                reply = reply[sizeof(DirectoryEntryHeader)..];
                part.Add(new ListedName(Encoding.UTF8.GetString(reply[..entry.NameLength]), entry.Inode, entry.Type));
                reply = reply[((entry.NameLength + 7) & ~7)..];
                cookie = entry.NextCookie;
            }

            foreach (ListedName name in part)
            {
                names.Add(name);
                afterEach?.Invoke(name);
            }
        }
    }

    /// <summary>With PathFlags.At the change's handle is a directory, and the path begins with its own, <paramref name="hint"/>.</summary>
    public Errno SetAttributes(
        string path, SetAttributesRequest change, out FileAttributes attributes, PathFlags flags = PathFlags.None, string hint = "")
    {
        FileHandle handle = change.Path.Handle;
        path = hint + path;
        change.Path = Head(path, flags);
        change.Path.Handle = handle;
        change.Path.StartLength = LengthOf(hint);
        Errno error = Call(Opcode.SetAttributes, change, Encoding.UTF8.GetBytes(path), out ReadOnlySpan<byte> reply);
        return Attributes(error, reply, out attributes);
    }

    public Errno VolumeStatus(string path, out VolumeStatusReply status)
    {
        Errno error = Call(Opcode.VolumeStatus, Head(path), Encoding.UTF8.GetBytes(path), out ReadOnlySpan<byte> reply);
        status = error == Errno.None ? MemoryMarshal.Read<VolumeStatusReply>(reply) : default;
        return error;
    }

    public Errno Read(string path, FileHandle handle, ulong offset, uint length, out byte[] data)
    {
        FileRequest head = new() { Handle = handle, Offset = offset, Length = length, PathLength = LengthOf(path) };
        Errno error = Call(Opcode.StorageRead, head, Encoding.UTF8.GetBytes(path), out ReadOnlySpan<byte> reply);
        data = reply.ToArray();
        return error;
    }

    public Errno Write(
        string path,
        FileHandle handle,
        ulong offset,
        byte[] data,
        out FileWriteReply reply,
        FileWriteFlags flags = FileWriteFlags.None,
        ulong timeNs = 0)
    {
        FileRequest head = new()
        {
            Handle = handle,
            Offset = offset,
            Length = (uint)data.Length,
            PathLength = LengthOf(path),
            Flags = flags,
            ModifyTimeNs = timeNs,
        };
        Errno error = Call(Opcode.StorageWrite, head, [.. Encoding.UTF8.GetBytes(path), .. data], out ReadOnlySpan<byte> bytes);
        reply = bytes.Length == sizeof(FileWriteReply) ? MemoryMarshal.Read<FileWriteReply>(bytes) : default;
        return error;
    }

    public Errno Truncate(string path, FileHandle handle, ulong size, out FileAttributes attributes)
    {
        FileRequest head = new() { Handle = handle, Offset = size, PathLength = LengthOf(path) };
        Errno error = Call(Opcode.StorageTruncate, head, Encoding.UTF8.GetBytes(path), out ReadOnlySpan<byte> reply);
        return Attributes(error, reply, out attributes);
    }

    /// <summary>The first run of data at or after a position.</summary>
    public Errno FindData(FileHandle handle, ulong offset, out DataRun run)
    {
        FileRequest head = new() { Handle = handle, Offset = offset };
        Errno error = Call(Opcode.StorageFindData, head, [], out ReadOnlySpan<byte> reply);
        run = error == Errno.None ? MemoryMarshal.Read<DataRun>(reply) : default;
        return error;
    }

    public Errno Allocate(FileHandle handle, ulong offset, uint length)
    {
        FileRequest head = new() { Handle = handle, Offset = offset, Length = length };
        return Call(Opcode.StorageAllocate, head, [], out _);
    }

    public Errno DigHoles(FileHandle handle, ulong offset, uint length)
    {
        FileRequest head = new() { Handle = handle, Offset = offset, Length = length };
        return Call(Opcode.StorageDigHoles, head, [], out _);
    }

    public Errno Status(string path, FileHandle handle, out FileAttributes attributes)
    {
        FileRequest head = new() { Handle = handle, PathLength = LengthOf(path) };
        Errno error = Call(Opcode.StorageStatus, head, Encoding.UTF8.GetBytes(path), out ReadOnlySpan<byte> reply);
        return Attributes(error, reply, out attributes);
    }

    public Errno Sync(string path = "", FileHandle handle = default)
    {
        FileRequest head = new() { Handle = handle, PathLength = LengthOf(path) };
        return Call(Opcode.StorageSync, head, Encoding.UTF8.GetBytes(path), out _);
    }

    /// <summary>The value of an extended attribute; without a name all names.</summary>
    public Errno ReadAttribute(string path, string name, out byte[] value)
    {
        AttributeRequest head = new() { Path = Head(path), NameLength = LengthOf(name) };
        Errno error = Call(Opcode.ReadAttribute, head, Encoding.UTF8.GetBytes(path + name), out ReadOnlySpan<byte> reply);
        value = error == Errno.None ? reply.ToArray() : [];
        return error;
    }

    /// <summary>Sets or removes one.</summary>
    public Errno ChangeAttribute(string path, string name, string value, ushort change)
    {
        AttributeRequest head = new() { Path = Head(path), NameLength = LengthOf(name), Change = change };
        return Call(Opcode.ChangeAttribute, head, Encoding.UTF8.GetBytes(path + name + value), out _);
    }

    /// <summary>A request with any bytes, for hostile input.</summary>
    public Errno CallRaw(Opcode opcode, byte[] body) =>
        _client.Call(StorageNode, opcode, default, body, default, _reply, out _);

    /// <summary>The whole file by path.</summary>
    public byte[] ReadAll(string path)
    {
        List<byte> content = [];
        while (Read(path, default, (ulong)content.Count, FileRequest.MaxTransfer, out byte[] part) == Errno.None && part.Length > 0)
        {
            content.AddRange(part);
        }

        return [.. content];
    }

    private static ushort LengthOf(string text) => (ushort)Encoding.UTF8.GetByteCount(text);

    private static Errno Attributes(Errno error, ReadOnlySpan<byte> reply, out FileAttributes attributes)
    {
        attributes = error == Errno.None ? MemoryMarshal.Read<FileAttributes>(reply) : default;
        return error;
    }

    private PathRequest Head(string path, PathFlags flags = PathFlags.None) =>
        new() { Flags = flags, PathLength = LengthOf(path), UserId = User, GroupId = User, TimeNs = NowNs };

    private Errno CallWithTwoPaths(Opcode opcode, string from, string to, PathFlags flags, out ReadOnlySpan<byte> reply)
    {
        TwoPathRequest head = new() { Old = Head(from, flags), NewLength = LengthOf(to) };
        return Call(opcode, head, [.. Encoding.UTF8.GetBytes(from), .. Encoding.UTF8.GetBytes(to)], out reply);
    }

    private Errno Call<T>(Opcode opcode, T head, byte[] rest, out ReadOnlySpan<byte> reply) where T : unmanaged
    {
        Errno error = _client.Call(
            StorageNode, opcode, new RpcContext { VNode = VNode }, new ReadOnlySpan<byte>(&head, sizeof(T)), rest, _reply, out int length);
        reply = _reply.AsSpan(0, length);
        return error;
    }
}
