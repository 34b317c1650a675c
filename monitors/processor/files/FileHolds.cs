// Holds at the storage component (PathFlags.Hold, Release): every open that finds or makes a file holds it there, so that it outlives its
// names until the last close here, or longer (KeptNodes.cs). What the end of a node of a file with a name gives back waits for others, to
// make one message of many, or for a call-back; of a file without one it goes at once, because somebody waits for the space. BLOCKS.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Holds that are to be given back.</summary>
public sealed unsafe class FileHolds
{
    private const int MaxWaiting = 32;

    private readonly Processes _processes;
    private readonly ReleaseRecord* _waiting;
    private int _count;
    private PlaceReply _place;
    /// <summary>
    /// A file lost its last name while an open of it was on its way: its node does not know that, so nothing waits until it has gone.
    /// </summary>
    private bool _isUrgent;

    /// <summary>Boot time. <see cref="IsUsable"/> says whether there was memory.</summary>
    public FileHolds(Processes processes)
    {
        _processes = processes;
        _waiting = (ReleaseRecord*)processes.Frames.AllocateCleared();
    }

    public bool IsUsable => _waiting != null;

    /// <summary>True when there is something for <see cref="Flush"/>.</summary>
    public bool AreWaiting => _count != 0;

    /// <summary>Gives holds of a file back, at once or soon.</summary>
    public void GiveBack(in PlaceReply place, in ReleaseRecord record, bool atOnce)
    {
        if (_count == MaxWaiting || (_count != 0 && _place.Storage != place.Storage))
        {
            Flush();
        }

        // The flush may have let others in.
        if (_count == MaxWaiting || (_count != 0 && _place.Storage != place.Storage))
        {
            ReleaseRecord alone = record;
            Send(in place, new ReadOnlySpan<ReleaseRecord>(&alone, 1));
            return;
        }

        _place = place;
        _waiting[_count++] = record;
        if (atOnce || _isUrgent)
        {
            Flush();
        }
    }

    /// <summary>A file without names lives on, and no node here says why: its hold waits here, or its open is on its way.</summary>
    public void OnStrayOrphan()
    {
        _isUrgent = true;
        Flush();
    }

    /// <summary>Gives everything back that waits.</summary>
    public void Flush()
    {
        Span<ReleaseRecord> records = stackalloc ReleaseRecord[MaxWaiting];
        records = records.Slice(0, _count);
        new ReadOnlySpan<ReleaseRecord>(_waiting, _count).CopyTo(records);
        _count = 0;
        if (records.Length != 0)
        {
            PlaceReply place = _place;
            Send(in place, records);
        }
    }

    /// <summary>
    /// Sends holds back; of files that have gone with them, the cached pages go, too. A failure needs nothing: the storage component
    /// forgets what a component held with the component.
    /// </summary>
    private void Send(in PlaceReply place, ReadOnlySpan<ReleaseRecord> records)
    {
        FileCaller kernel = FileCaller.Kernel(_processes, in place);
        Span<uint> gone = stackalloc uint[MaxWaiting];
        gone.Clear();
        StorageClient.Release(in kernel, records, gone);
        for (int index = 0; index < records.Length; index++)
        {
            if (gone[index] != 0)
            {
                _isUrgent = false;
                _processes.Cache.Invalidate(new ObjectIdentity { Handle = records[index].Entry.Handle, Volume = place.Storage }, 0,
                    ulong.MaxValue);
                FileClient.Forget(in kernel, in records[index].Entry.Handle, default);
            }
        }
    }
}
