// Release (PathMessages.cs), and the end of a holder: what it held is given back as if it had released it. A file without a name goes with
// its last hold. May BLOCK on the device. Callers hold the volume's lock.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>Release.</summary>
public sealed unsafe class HoldRequests(Volume volume, AccessTimes accessTimes)
{
    private readonly Volume _volume = volume;
    private readonly AccessTimes _accessTimes = accessTimes;

    /// <summary>Reply: for each entry 1 when its file has gone now, else 0.</summary>
    public void Release(ref RpcRequest request)
    {
        if (!RequestParts.TryReadHead(ref request, out ReleaseRequest head, out ReadOnlySpan<byte> rest))
        {
            return;
        }

        if (head.Count > ReleaseRequest.MaxEntries || rest.Length != (int)head.Count * sizeof(ReleaseRecord))
        {
            request.Reply(Errno.EPROTO);
            return;
        }

        Span<uint> gone = stackalloc uint[ReleaseRequest.MaxEntries];
        ReadOnlySpan<ReleaseRecord> records = MemoryMarshal.Cast<byte, ReleaseRecord>(rest);
        for (int index = 0; index < records.Length; index++)
        {
            HeldFile* file = _volume.Held.Find(records[index].Entry.Handle);
            MarkRead(in records[index]);
            gone[index] = file != null && Release(file, request.Source, records[index].Entry.Holds) ? 1u : 0u;
        }

        request.Reply(Errno.None, MemoryMarshal.AsBytes(gone.Slice(0, records.Length)));
    }

    /// <summary>
    /// Holds that come with a request which takes a name away: their holder has no use for them, so the file is to go with its name.
    /// </summary>
    public void GiveBack(in ReleaseRecord record, ushort node)
    {
        HeldFile* file = record.Entry.Holds == 0 ? null : _volume.Held.Find(record.Entry.Handle);
        if (file != null)
        {
            MarkRead(in record);
            Release(file, node, record.Entry.Holds);
        }
    }

    /// <summary>A component failed, left or begins a new life: it holds nothing any more.</summary>
    public void ForgetHolder(ushort node)
    {
        uint bucket = 0;
        HeldFile* next;
        for (HeldFile* file = _volume.Held.Next(ref bucket, null); file != null; file = next)
        {
            next = _volume.Held.Next(ref bucket, file);
            Release(file, node, uint.MaxValue);
        }
    }

    /// <summary>A holder tells when it read a file that it holds no more; one without names is about to go.</summary>
    private void MarkRead(in ReleaseRecord record)
    {
        if (record.AccessTimeNs == 0)
        {
            return;
        }

        FileHandle handle = record.Entry.Handle;
        using InodeHandle inode = _volume.Inodes.OpenStable(handle.Inode, handle.Generation, out Errno error);
        if (error == Errno.None && inode.Record->Links != 0)
        {
            _accessTimes.MarkRead(inode, record.AccessTimeNs);
        }
    }

    /// <summary>True when the file went with its last hold.</summary>
    private bool Release(HeldFile* file, ushort node, uint holds)
    {
        if (_volume.Held.Release(file, node, holds))
        {
            return false;
        }

        bool isOrphan = file->IsOrphan;
        if (isOrphan)
        {
            Errno error = _volume.Orphans.Delete(file);
            if (error != Errno.None)
            {
                // Still on the list on the device, or half freed: the next mount or e2fsck ends it. Nobody can reach it any more.
                Log.Error($"storage: a file without a name could not be freed: errno {(int)error}");
            }
        }

        if (!file->IsOrphan)
        {
            _volume.Held.Free(file);
        }

        return isOrphan;
    }
}
