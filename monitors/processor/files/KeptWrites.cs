// Writes that stay here for a while: a write(2) into a page of a file, below the file's end, goes into the page's line (ExCache.Written.cs)
// and reaches the memory component later, many pages in a message. Only while this is the one processor component that the rack can ever
// have: then all requests about a file come from here, and each has the file's kept pages written out before it is sent.
//
// What holds:
// * A node with kept pages holds its object's number (KeptObject) and stands on the list. It is open for writing; the last close of such an
//   open file has them written out, so contents that nobody may write to any more are at the memory component.
// * It is not mapped, and no call changes it by message: those have its pages written out first (FileClient, FileMappings.Acquire), and
//   until they are done no write is kept.
// * A page waits no longer than IntervalNs and the time that it takes to write all out. With this component's life end the programs that
//   wrote it and what they had not closed or synchronised, as with a Linux machine's.
// * They find their space: they are kept only while the memory component has several times as much of the volume reserved, and unused, as
//   is kept, by its answer to the last write. The first write of an open file goes by message, and says which errors are older than it.
// * Pages that cannot be written out are lost, as those of the page cache are (fsync(2), EIO); the log says so, and the next fsync of
//   each open file.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>What has been written to files and is still here.</summary>
public sealed unsafe class KeptWrites(FileSystem files) : ThreadBody
{
    private const ulong IntervalNs = 1_000_000_000;
    private const int PageBytes = PageOperations.PageSize;
    private const int PagesPerMessage = TransferBuffer.DataBytes / PageBytes;
    /// <summary>The memory component has so many times as much space as is kept.</summary>
    private const ulong SpaceFactor = 4;
    private const int Retries = 100;
    private const ulong RetryNs = 10_000_000;

    /// <summary>Not those of other requests: whoever waits for one of these may hold one of those.</summary>
    private readonly TransferBuffers _buffers = new(files.Frames, count: 1);
    private FileNode* _first;
    private FileNode* _last;
    private bool _isAllowed;
    private WaitQueue _begun;
    private WaitQueue _ended;
    private ushort _volume;
    private ulong _spaceBytes;
    private ulong _kept;
    private ulong _written;
    private ulong _lost;

    /// <summary>No other processor component can ever join the rack: from now on writes are kept. Boot time.</summary>
    public void Start()
    {
        _isAllowed = true;
        if (Scheduler.Spawn(this, null, "kept writes"u8) == null)
        {
            Panic.Because("KeptWrites.Start: no memory for the thread");
        }
    }

    /// <summary>Adds the counters of this part.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("processor.files.writes_kept"u8, _kept);
        writer.Add("processor.files.kept_pages_written"u8, _written);
        writer.Add("processor.files.kept_pages_lost"u8, _lost);
    }

    /// <summary>Keeps a write that changes nothing but one page of a file. False: it has to go by message. Does not block.</summary>
    public bool TryKeep(OpenFile* file, ulong offset, in SplitBytes bytes)
    {
        FileNode* node = file->Node;
        ulong end = offset + (ulong)bytes.Length;
        ulong page = offset / PageBytes;
        if (!_isAllowed || !file->HasWritten || !IsKeeper(node) || bytes.Length == 0 || (end - 1) / PageBytes != page
            || !TryFindSize(node, out ulong size) || end > size || node->Place.Storage != _volume)
        {
            return false;
        }

        ExCache cache = files.Processes.Cache;
        ObjectIdentity identity = node->Identity;
        uint number = node->KeptObject != 0 ? node->KeptObject : cache.NumberOf(in identity);
        bool hasSpace = _spaceBytes >= SpaceFactor * (cache.WrittenBytes + PageBytes);
        if (!hasSpace || number == 0 || !cache.TryWrite(number, page, (int)(offset % PageBytes), in bytes))
        {
            return false;
        }

        if (node->KeptObject == 0)
        {
            cache.Objects.Hold(number);
            node->KeptObject = number;
            Append(node);
        }

        // All of the page that the file has: what goes out as whole blocks, the storage component need not read before it writes.
        node->KeptEnd = Math.Max(node->KeptEnd, Math.Min((page + 1) * PageBytes, size));
        node->KeptTimeNs = Clock.UnixTimeNs();
        files.Leases.Clock.Forget(LeaseKey.Attributes(node->Handle.Inode));
        _kept++;
        return true;
    }

    /// <summary>The size of a file by the last write's answer, if nothing can have changed it since.</summary>
    public bool TryFindSize(FileNode* node, out ulong sizeBytes)
    {
        sizeBytes = node->WrittenSize;
        return _isAllowed && sizeBytes != 0 && files.Leases.Clock.IsRemembered(node->WrittenMoment);
    }

    /// <summary>
    /// A message that was sent at a moment (LeaseClock) has written to a file. <paramref name="isAlone"/>: no other one has changed the
    /// file meanwhile, so its size is known.
    /// </summary>
    public void Answered(FileNode* node, in FileWriteReply reply, ulong moment, bool isAlone)
    {
        _volume = node->Place.Storage;
        _spaceBytes = reply.VolumeFreeBytes;
        node->WrittenSize = isAlone ? reply.Size : 0;
        node->WrittenMoment = moment;
    }

    /// <summary>What was kept of a file before is at the memory component afterwards. The caller holds the node.</summary>
    [Blocks]
    public Errno WriteOut(FileNode* node)
    {
        Errno first = Errno.None;
        while (node->KeptObject != 0)
        {
            if (node->IsWritingOut)
            {
                _ended.Wait();
                continue;
            }

            first = WriteAllOut(node, FileWriteFlags.None, out _);
        }

        return first;
    }

    /// <summary>
    /// fsync(2), if something is kept: the last message of the write-out asks for all that was written to the file to be on the device,
    /// which saves the one that would ask for just that. False: it has to be asked (FileSync), because nothing was kept, something has
    /// failed, or some write-back has since the one that the open file knows of.
    /// </summary>
    [Blocks]
    public bool TrySynchronize(FileNode* node, uint knownError)
    {
        while (node->IsWritingOut)
        {
            _ended.Wait();
        }

        if (node->KeptObject == 0)
        {
            return false;
        }

        WriteAllOut(node, FileWriteFlags.Synchronous, out uint lastError);
        return lastError != 0 && lastError == knownError;
    }

    /// <summary>The same for a file that may have nothing kept.</summary>
    [Blocks]
    public void WriteOut(ushort storage, in FileHandle handle)
    {
        FileNode* found = _first == null ? null : files.Nodes.Find(storage, in handle);
        if (found != null && found->KeptObject != 0)
        {
            using NodeRef node = NodeRef.To(found);
            WriteOut(found);
        }
    }

    /// <summary>The same for pages that hold bytes [from, to) of a file.</summary>
    [Blocks]
    public void WriteOut(FileNode* node, ulong from, ulong to)
    {
        if (node->KeptObject != 0 && files.Processes.Cache.HasWritten(node->KeptObject, from / PageBytes, ((to - 1) / PageBytes) + 1))
        {
            WriteOut(node);
        }
    }

    /// <summary>All that was kept before is at the memory component afterwards.</summary>
    [Blocks]
    public void WriteOutAll()
    {
        int nodes = 0;
        for (FileNode* node = _first; node != null; node = node->NextKeeper)
        {
            nodes++;
        }

        // Those that keep anew meanwhile stand behind.
        for (; nodes > 0 && _first != null; nodes--)
        {
            using NodeRef node = NodeRef.To(_first);
            WriteOut(node.Node);
        }
    }

    /// <summary>A memory component is gone, and so are all lines of files (ExCache.ForgetNames): whoever synchronises is told.</summary>
    public void Lose()
    {
        for (FileNode* node = _first; node != null; node = node->NextKeeper)
        {
            Fail(node, Errno.EIO);
        }
    }

    /// <summary>A file is opened: it hears of the failures that nobody has heard of (Linux's errseq_sample).</summary>
    public static void Open(OpenFile* file) => file->KnownKeptErrors = file->Node->KeptErrorsTold;

    /// <summary>The last failure of a write-out since an open file was told of one; none afterwards.</summary>
    public static Errno TakeError(OpenFile* file)
    {
        FileNode* node = file->Node;
        bool isNew = file->KnownKeptErrors != node->KeptErrors;
        file->KnownKeptErrors = node->KeptErrors;
        node->KeptErrorsTold = node->KeptErrors;
        return isNew ? node->KeptError : Errno.None;
    }

    /// <summary>Kept pages are lost, or the device may not have them.</summary>
    internal static void Fail(FileNode* node, Errno error)
    {
        node->KeptError = error;
        node->KeptErrors++;
    }

    public override void Run(void* argument)
    {
        while (true)
        {
            while (_first == null)
            {
                _begun.Wait();
            }

            Scheduler.Sleep(IntervalNs);
            WriteOutAll();
        }
    }

    private static bool IsKeeper(FileNode* node) =>
        node->Memory == null && node->Backing == 0 && node->UnmappedChanges == 0 && !node->IsWritingOut;

    /// <summary>
    /// Writes out what is kept of a file, the last run with the given flags. If that has done what they ask for,
    /// <paramref name="lastWriteError"/> is the number of the last failure of a write-back that the memory component knows of; else 0.
    /// </summary>
    [Blocks]
    private Errno WriteAllOut(FileNode* node, FileWriteFlags flags, out uint lastWriteError)
    {
        lastWriteError = 0;
        node->IsWritingOut = true;
        ExCache cache = files.Processes.Cache;
        uint number = node->KeptObject;
        Errno first = Errno.None;
        using (TransferBuffer buffer = _buffers.Take())
        {
            // Runs go out in order: only their beginnings have to be looked for.
            ulong page = 0;
            while (cache.IsWritten(number, page) || cache.TryFindWritten(number, out page))
            {
                int length = Gather(cache, number, page, node->KeptEnd, buffer.Data);
                ulong pages = ((ulong)length + PageBytes - 1) / PageBytes;
                bool isLast = !cache.HasWrittenBeside(number, page, page + pages);
                bool isFlagged = isLast && flags != FileWriteFlags.None
                    && TrySend(node, in buffer, page * PageBytes, length, flags, out lastWriteError);
                Errno error = isFlagged ? Errno.None : Send(node, in buffer, page * PageBytes, length);
                cache.EndWritten(number, page, page + pages);
                _written += pages;
                if (error != Errno.None)
                {
                    Log.Error($"files: {pages} written pages of inode {node->Handle.Inode} could not be kept: error {(int)error}");
                    cache.Invalidate(number, page, page + pages);
                    _lost += pages;
                    Fail(node, error);
                    first = first == Errno.None ? error : first;
                }

                page += pages;
            }
        }

        cache.Objects.Release(number);
        node->KeptObject = 0;
        node->KeptEnd = 0;
        Remove(node);
        node->IsWritingOut = false;
        _ended.WakeAll();
        return first;
    }

    /// <summary>Copies a run of written pages from one on, up to where the file's known bytes end.</summary>
    private static int Gather(ExCache cache, uint number, ulong page, ulong end, Span<byte> data)
    {
        int count = 0;
        for (ulong at = page; count < PagesPerMessage && cache.IsWritten(number, at)
            && cache.TryFindPage(number, at, out byte* bytes); at++)
        {
            new ReadOnlySpan<byte>(bytes, PageBytes).CopyTo(data.Slice(count * PageBytes));
            count++;
        }

        return (int)Math.Min((ulong)count * PageBytes, end - (page * PageBytes));
    }

    /// <summary>
    /// Sends a run with flags. False: nothing of it need have been taken, and it goes again without: then the memory component takes it
    /// whatever the storage component says, and has its space reserved. Of a device that fails the storage component has the bytes all the
    /// same; who synchronises is told, even if the device recovers.
    /// </summary>
    [Blocks]
    private bool TrySend(
        FileNode* node, in TransferBuffer buffer, ulong offset, int lengthBytes, FileWriteFlags flags, out uint lastWriteError)
    {
        FileCaller kernel = FileCaller.Kernel(files.Processes, in node->Place);
        Errno error = FileClient.WriteKept(
            in kernel, node, in buffer, offset, lengthBytes, flags, node->KeptTimeNs, out FileWriteReply reply);
        bool isTaken = reply.Written == (uint)lengthBytes;
        lastWriteError = isTaken && error == Errno.None ? reply.LastWriteError : 0;
        if (isTaken)
        {
            _spaceBytes = reply.VolumeFreeBytes;
        }

        if (isTaken && error != Errno.None)
        {
            Fail(node, error);
        }

        return isTaken;
    }

    [Blocks]
    private Errno Send(FileNode* node, in TransferBuffer buffer, ulong offset, int lengthBytes)
    {
        FileCaller kernel = FileCaller.Kernel(files.Processes, in node->Place);
        for (int attempt = 1; ; attempt++)
        {
            Errno error = FileClient.WriteKept(
                in kernel, node, in buffer, offset, lengthBytes, FileWriteFlags.None, node->KeptTimeNs, out FileWriteReply reply);
            if (error == Errno.None)
            {
                _spaceBytes = reply.VolumeFreeBytes;
                error = reply.Written < (uint)lengthBytes ? Errno.ENOSPC : Errno.None;
            }

            if (error != Errno.ENOMEM || attempt == Retries)
            {
                return error;
            }

            Scheduler.Sleep(RetryNs);
        }
    }

    private void Append(FileNode* node)
    {
        node->NextKeeper = null;
        if (_first == null)
        {
            _first = node;
            _begun.WakeAll();
        }
        else
        {
            _last->NextKeeper = node;
        }

        _last = node;
    }

    private void Remove(FileNode* node)
    {
        FileNode* previous = null;
        for (FileNode* other = _first; other != node; other = other->NextKeeper)
        {
            previous = other;
        }

        if (previous == null)
        {
            _first = node->NextKeeper;
        }
        else
        {
            previous->NextKeeper = node->NextKeeper;
        }

        _last = _last == node ? previous : _last;
    }
}
