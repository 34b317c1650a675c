// Pipes and FIFOs (pipe(7), fifo(7)): one ring, two sides. A write of up to PIPE_BUF bytes is atomic. In a slab; freed with its last open
// end. A copy to or from a program may block in the middle, so each side's copying is under a lock of its own side: readers do not disturb
// writers, because the ring's two ends are apart.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The bytes between the ends of a pipe, and who waits for them.</summary>
public unsafe struct Pipe
{
    /// <summary>PIPE_BUF of Linux.</summary>
    public const int AtomicBytes = 4096;

    /// <summary>Most that a pipe can be made to hold (/proc/sys/fs/pipe-max-size).</summary>
    public const int MaxBytes = 1024 * 1024;

    private const int MostPackets = MaxBytes / AtomicBytes;

    public ByteRing Ring;
    /// <summary>Open ends that can read, and that can write.</summary>
    public uint Readers;
    public uint Writers;
    /// <summary>Ever opened for reading and writing: a FIFO's open waits for the other side to come.</summary>
    public uint ReaderArrivals;
    public uint WriterArrivals;
    public SleepLock ReadLock;
    public SleepLock WriteLock;
    /// <summary>Readers wait here for bytes or the last writer's end, writers for room or the last reader's end.</summary>
    public WaitQueue ReadersWait;
    public WaitQueue WritersWait;
    /// <summary>Distinguishes pipes in stat and /proc/PID/fd.</summary>
    public uint Inode;
    public Watchers Watchers;
    /// <summary>Writers are told of room only where there had been none, as Linux tells them.</summary>
    private bool _lacksRoom;
    /// <summary>Owner, permissions and times of a pipe; a FIFO has those of its file.</summary>
    public SyntheticInode Attributes;

    /// <summary>Lengths of the packets in the ring, in a frame of their own; null: it is a stream.</summary>
    private ushort* _packets;
    private int _firstPacket;

    private ObjectPointer<FileSystem> _files;

    /// <summary>The file system that it belongs to.</summary>
    public readonly FileSystem Files => _files.Target;

    /// <summary>poll(2) calls it writable: an atomic write fits.</summary>
    public bool HasRoom => IsOfPackets ? HasRoomForPacket : Ring.Room >= AtomicBytes;

    /// <summary>What one write gives, one read takes (pipe2(2), O_DIRECT).</summary>
    public readonly bool IsOfPackets => _packets != null;

    /// <summary>Whole packets in the ring.</summary>
    public int Packets { readonly get; private set; }

    /// <summary>There is nothing to read: bytes of a packet that is being written do not count.</summary>
    public readonly bool IsEmpty => IsOfPackets ? Packets == 0 : Ring.IsEmpty;

    /// <summary>A packet has the place of a page, however long it is, so its bytes find room as well.</summary>
    public readonly bool HasRoomForPacket => Packets < Ring.Capacity / AtomicBytes;

    /// <summary>Length of the oldest packet, which there is.</summary>
    public readonly int FirstPacketBytes => _packets[_firstPacket];

    /// <summary>Makes a new pipe one of packets. ENOMEM.</summary>
    public Errno SeparatePackets()
    {
        _packets = (ushort*)Files.Frames.Allocate();
        return _packets == null ? Errno.ENOMEM : Errno.None;
    }

    /// <summary>The bytes that were put into the ring last are a packet.</summary>
    public void AddPacket(int lengthBytes)
    {
        _packets[(_firstPacket + Packets) % MostPackets] = (ushort)lengthBytes;
        Packets++;
    }

    /// <summary>The oldest packet leaves; so many of its bytes are in the ring still.</summary>
    public void RemovePacket(int leftBytes)
    {
        while (leftBytes != 0)
        {
            int part = Math.Min(Ring.NextData().Length, leftBytes);
            Ring.Consume(Files.Frames, part);
            leftBytes -= part;
        }

        _firstPacket = (_firstPacket + 1) % MostPackets;
        Packets--;
    }

    /// <summary>An empty pipe without ends; null when pipes have all the memory that they may have, or there is none.</summary>
    public static Pipe* Create(FileSystem files)
    {
        int capacityBytes = files.PipeMemory.Take();
        Pipe* pipe = capacityBytes == 0 ? null : files.Pipes.Allocate();
        if (pipe == null)
        {
            files.PipeMemory.Return(capacityBytes);
            return null;
        }

        pipe->_files = files.Self;
        pipe->Inode = files.NextPipeInode();
        pipe->Ring.Limit(capacityBytes);
        return pipe;
    }

    /// <summary>An end is opened.</summary>
    public void AddEnd(bool reads, bool writes)
    {
        Readers += reads ? 1u : 0;
        Writers += writes ? 1u : 0;
        ReaderArrivals += reads ? 1u : 0;
        WriterArrivals += writes ? 1u : 0;
        _lacksRoom = true;
        WakeReaders();
        WakeWriters();
    }

    /// <summary>An end is closed. True when it was the last one and the pipe is to be freed.</summary>
    public bool RemoveEnd(bool reads, bool writes)
    {
        Readers -= reads ? 1u : 0;
        Writers -= writes ? 1u : 0;
        _lacksRoom = true;
        WakeReaders();
        WakeWriters();
        return Readers == 0 && Writers == 0;
    }

    /// <summary>
    /// Has a pipe hold so many bytes, rounded up to a power of two pages (F_SETPIPE_SZ); what it holds then. EINVAL; EPERM: more than it
    /// may; EBUSY: less than is in it; ENOMEM. The caller holds an end. BLOCKS while others copy.
    /// </summary>
    public static long Resize(Pipe* pipe, uint wantedBytes)
    {
        if (wantedBytes > MaxBytes)
        {
            return CallResult.Fail(wantedBytes > 1u << 31 ? Errno.EINVAL : Errno.EPERM);
        }

        int bytes = (int)System.Numerics.BitOperations.RoundUpToPowerOf2(Math.Max(wantedBytes, PageOperations.PageSize));
        FileSystem files = pipe->Files;
        using (pipe->ReadLock.Acquire())
        {
            using SleepLock.Guard _ = pipe->WriteLock.Acquire();
            if (bytes / AtomicBytes < pipe->Packets)
            {
                return CallResult.Fail(Errno.EBUSY);
            }

            int had = pipe->Ring.Capacity;
            if (bytes > had && !files.PipeMemory.TryTakeMore(bytes - had))
            {
                return CallResult.Fail(Errno.EPERM);
            }

            Errno error = pipe->Ring.Resize(files.Frames, bytes);
            int unused = error != Errno.None ? Math.Max(bytes - had, 0) : Math.Max(had - bytes, 0);
            files.PipeMemory.Return(unused);
            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }
        }

        pipe->WakeWriters();
        return bytes;
    }

    /// <summary>Frees a pipe that has no ends.</summary>
    public static void Free(Pipe* pipe)
    {
        FileSystem files = pipe->_files.Target;
        pipe->Ring.Clear(files.Frames);
        if (pipe->_packets != null)
        {
            files.Frames.Free(pipe->_packets);
        }

        files.PipeMemory.Return(pipe->Ring.Capacity);
        files.Pipes.Free(pipe);
    }

    public void WakeReaders()
    {
        _lacksRoom |= !HasRoom;
        ReadersWait.WakeAll();
        _files.Target.Readiness.Notify(ref Watchers, Writers == 0 ? PollEvents.Readable | PollEvents.HangUp : PollEvents.Readable);
    }

    public void WakeWriters()
    {
        WritersWait.WakeAll();
        if (_lacksRoom)
        {
            _files.Target.Readiness.Notify(ref Watchers, Readers == 0 ? PollEvents.Writable | PollEvents.Error : PollEvents.Writable);
        }

        _lacksRoom = !HasRoom;
    }
}
