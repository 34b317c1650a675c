// Cases about the storage monitor on a real disk: the second disk of the machine must be an ext4 volume, else they are skipped. A client
// and a server endpoint in one image, joined in memory, so that requests take the way of the rack: worker threads, the volume's lock,
// virtio-blk. The volume is synchronised at the end of each case; the test on the host has e2fsck look at it afterwards.

using System;
using System.Runtime.InteropServices;
using Lego.Drivers;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage;
using Lego.Storage.Ext4;

namespace Lego.Suites;

/// <summary>Files through messages.</summary>
public static unsafe class StorageCases
{
    private const ushort ClientNode = 21;
    private const ushort ServerNode = 22;
    private const int Workers = 4;
    private const uint CacheBlocks = 64;
    private const int Clients = 4;
    private const uint FilesPerClient = 8;
    private const uint FileBytes = 3 * DataBytes;
    private const uint DataBytes = 10_000 / 8 * 8;
    private const ulong BufferPages = 16;
    private const int MaxPathBytes = 64;
    private const uint DirectoryMode = 0x41ED;
    private const ulong LimitNs = 60_000_000_000;

    private static RpcEndpoint? s_client;
    private static StorageMonitor? s_monitor;
    private static FrameAllocator? s_frames;
    private static uint s_finished;
    private static uint s_failures;
    private static bool s_allFinished;

    /// <summary>Boot time: mounts the volume and joins the endpoints.</summary>
    public static void Register(CaseList cases, DeviceSet devices, FrameAllocator frames)
    {
        s_frames = frames;
        if (devices.DiskCount > 1 && Volume.Mount(devices.Disk(1), frames, CacheBlocks, out Volume? volume) == Errno.None
            && LocalLink.CreatePair(frames, ClientNode, ServerNode, out RingLink? near, out RingLink? far) == Errno.None)
        {
            // The leak check around each case must not see the cache grow.
            volume!.Cache.TryReserve();
            s_monitor = new StorageMonitor(volume, frames);
            s_client = new RpcEndpoint(ClientNode, frames, 0);
            RpcEndpoint server = new(ServerNode, frames, Workers);
            s_client.Attach(ServerNode, near!);
            server.Attach(ClientNode, far!);
            server.Register(StorageMonitor.OpcodeGroup, s_monitor);
            Poller.Register(s_client);
            Poller.Register(server);
        }

        cases.Add("storage.files-come-back", &FilesComeBack);
        cases.Add("storage.many-clients-at-once", &ManyClients);
        cases.Add("storage.round-trips-are-timed", &RoundTrips);
    }

    private static bool TryVolume(ref Check check)
    {
        if (s_monitor == null)
        {
            check.Skip("no ext4 volume on a second disk");
        }

        return s_monitor != null;
    }

    private static void FilesComeBack(ref Check check)
    {
        if (TryVolume(ref check))
        {
            check.Equal(0, UseFiles(Clients), "failures");
            check.Succeeded(s_monitor!.Sync(), "sync");
        }
    }

    private static void ManyClients(ref Check check)
    {
        if (!TryVolume(ref check))
        {
            return;
        }

        s_finished = 0;
        s_failures = 0;
        s_allFinished = false;
        for (ulong client = 0; client < Clients; client++)
        {
            check.That(Scheduler.Spawn(&RunClient, (void*)client, "client"u8) != null, "a thread starts");
        }

        check.That(Scheduler.WaitUntil(ref s_allFinished, Clock.NowNs() + LimitNs), "all clients end");
        check.Equal(0, s_failures, "failures");
        check.Succeeded(s_monitor!.Sync(), "sync");
    }

    private static void RunClient(void* argument)
    {
        s_failures += UseFiles((uint)argument);
        s_finished++;
        s_allFinished = s_finished == Clients;
        Scheduler.Notify();
    }

    /// <summary>
    /// Writes, renames, reads back and removes files in a directory of the client's own; every other file stays. Returns failures.
    /// </summary>
    private static uint UseFiles(uint client)
    {
        using Scratch scratch = new(s_frames!, BufferPages);
        Span<byte> path = stackalloc byte[MaxPathBytes];
        Span<byte> other = stackalloc byte[MaxPathBytes];
        uint failures = 0;
        Errno made = MakeDirectory(path[..Name(path, client, 0, (byte)'d', 1)]);
        failures += made is Errno.None or Errno.EEXIST ? 0u : 1;
        for (uint file = 0; file < FilesPerClient; file++)
        {
            ReadOnlySpan<byte> first = path[..Name(path, client, file, (byte)'a', 2)];
            ReadOnlySpan<byte> final = other[..Name(other, client, file, (byte)'f', 2)];
            bool good = Open(first, PathFlags.Create, out OpenReply reply) == Errno.None;
            for (uint offset = 0; offset < FileBytes; offset += DataBytes)
            {
                scratch.Fill((client << 8) + file + offset, MaxPathBytes, DataBytes);
                good &= Write(scratch, first, reply.Attributes.Handle, offset) == Errno.None;
            }

            good &= Rename(first, final) == Errno.None;
            for (uint offset = 0; offset < FileBytes; offset += DataBytes)
            {
                good &= Read(scratch, final, offset) == Errno.None && scratch.Holds((client << 8) + file + offset, 0, DataBytes);
            }

            good &= file % 2 == 0 || Unlink(final) == Errno.None;
            failures += good ? 0u : 1;
        }

        return failures;
    }

    /// <summary>What the rack's users wait for: an open, a read of a page and of a full transfer, each without competition.</summary>
    private static void RoundTrips(ref Check check)
    {
        if (!TryVolume(ref check))
        {
            return;
        }

        const uint rounds = 100;
        using Scratch scratch = new(s_frames!, BufferPages);
        ReadOnlySpan<byte> path = "/timed"u8;
        bool good = Open(path, PathFlags.Create, out OpenReply file) == Errno.None;
        scratch.Fill(1, MaxPathBytes, DataBytes);
        good &= Write(scratch, path, file.Attributes.Handle, 0) == Errno.None;
        ulong start = Clock.NowNs();
        for (uint round = 0; round < rounds; round++)
        {
            good &= Open(path, PathFlags.None, out _) == Errno.None;
        }

        ulong opened = Clock.NowNs();
        for (uint round = 0; round < rounds; round++)
        {
            good &= Read(scratch, path, 0) == Errno.None;
        }

        ulong read = Clock.NowNs();
        for (uint round = 0; round < rounds; round++)
        {
            good &= Write(scratch, path, file.Attributes.Handle, 0) == Errno.None;
        }

        ulong written = Clock.NowNs();
        ulong openNs = (opened - start) / rounds;
        ulong readNs = (read - opened) / rounds;
        Log.Info($"storage: open {openNs} ns, read of 10 KB {readNs} ns, write {(written - read) / rounds} ns");
        check.That(good, "all requests succeed");
        check.Succeeded(s_monitor!.Sync(), "sync");
    }

    /// <summary>"/cN" (one level) or "/cN/xMM"; returns the length.</summary>
    private static int Name(Span<byte> path, uint client, uint file, byte letter, int levels)
    {
        path[0] = (byte)'/';
        path[1] = (byte)'c';
        path[2] = (byte)('0' + client);
        if (levels == 1)
        {
            return 3;
        }

        path[3] = (byte)'/';
        path[4] = letter;
        path[5] = (byte)('0' + (file / 10));
        path[6] = (byte)('0' + (file % 10));
        return 7;
    }

    private static RpcContext Context => default;

    private static PathRequest HeadOf(ReadOnlySpan<byte> path, PathFlags flags = PathFlags.None) =>
        new() { Flags = flags, PathLength = (ushort)path.Length };

    private static Errno Open(ReadOnlySpan<byte> path, PathFlags flags, out OpenReply reply)
    {
        OpenRequest head = new() { Path = HeadOf(path, flags), Mode = 0x1A4 };
        Span<byte> answer = stackalloc byte[sizeof(OpenReply) + MaxPathBytes];
        Errno error = s_client!.Call(ServerNode, Opcode.Open, Context, in head, path, answer, out _);
        reply = MemoryMarshal.Read<OpenReply>(answer);
        return error;
    }

    private static Errno MakeDirectory(ReadOnlySpan<byte> path)
    {
        MakeNodeRequest head = new() { Path = HeadOf(path), Mode = DirectoryMode };
        Span<byte> answer = stackalloc byte[sizeof(ChangeReply)];
        return s_client!.Call(ServerNode, Opcode.MakeNode, Context, in head, path, answer, out _);
    }

    private static Errno Unlink(ReadOnlySpan<byte> path)
    {
        UnlinkRequest head = new() { Path = HeadOf(path) };
        Span<byte> answer = stackalloc byte[sizeof(UnlinkReply)];
        return s_client!.Call(ServerNode, Opcode.Unlink, Context, in head, path, answer, out _);
    }

    private static Errno Rename(ReadOnlySpan<byte> from, ReadOnlySpan<byte> to)
    {
        TwoPathRequest head = new() { Old = HeadOf(from), NewLength = (ushort)to.Length };
        Span<byte> both = stackalloc byte[2 * MaxPathBytes];
        from.CopyTo(both);
        to.CopyTo(both[from.Length..]);
        Span<byte> answer = stackalloc byte[sizeof(RenameReply) + (2 * MaxPathBytes)];
        return s_client!.Call(ServerNode, Opcode.Rename, Context, in head, both[..(from.Length + to.Length)], answer, out _);
    }

    /// <summary>Writes the scratch bytes that begin at MaxPathBytes; the path goes right before them.</summary>
    private static Errno Write(in Scratch scratch, ReadOnlySpan<byte> path, FileHandle handle, uint offset)
    {
        FileRequest head = new() { Handle = handle, Offset = offset, Length = DataBytes, PathLength = (ushort)path.Length };
        path.CopyTo(scratch.Bytes.Slice(MaxPathBytes - path.Length, path.Length));
        Span<byte> answer = stackalloc byte[sizeof(FileWriteReply)];
        ReadOnlySpan<byte> payload = scratch.Bytes.Slice(MaxPathBytes - path.Length, path.Length + (int)DataBytes);
        Errno error = s_client!.Call(ServerNode, Opcode.StorageWrite, Context, in head, payload, answer, out _);
        return error == Errno.None && MemoryMarshal.Read<FileWriteReply>(answer).Written != DataBytes ? Errno.ENOSPC : error;
    }

    /// <summary>Reads into the beginning of the scratch bytes.</summary>
    private static Errno Read(in Scratch scratch, ReadOnlySpan<byte> path, uint offset)
    {
        FileRequest head = new() { Offset = offset, Length = DataBytes, PathLength = (ushort)path.Length };
        Span<byte> target = scratch.Bytes[..(int)DataBytes];
        Errno error = s_client!.Call(ServerNode, Opcode.StorageRead, Context, in head, path, target, out int length);
        return error == Errno.None && length != (int)DataBytes ? Errno.EIO : error;
    }
}
