// The storage monitor: serves opcode group 4 on one volume. Every request says all that it needs (full path or file handle, absolute
// offset, caller), and nothing is remembered between requests but caches, who holds which file (HeldFiles.cs), who remembers what
// (LeaseGrants.cs) and who reserved how much. Each request runs in a worker thread and holds the volume's lock from beginning to end; it
// may BLOCK on the device. LookupRequests.cs, NameRequests.cs and AttributeRequests.cs serve names (PathMessages.cs), ContentRequests.cs
// bytes (StorageMessages.cs).

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>The service of opcode group 4.</summary>
public sealed unsafe class StorageMonitor : RpcService
{
    /// <summary>Where the monitor registers itself with the endpoint.</summary>
    public const byte OpcodeGroup = 4;

    /// <summary>How long a change may stay in the cache while nobody asks for it to be written.</summary>
    private const ulong WriteBackIntervalNs = 2_000_000_000;

    private readonly Volume _volume;
    private SleepLock _lock;
    private readonly PathResolver _resolver;
    private readonly LookupRequests _lookups;
    private readonly NameRequests _names;
    private readonly AttributeRequests _attributes;
    private readonly ExtendedRequests _extended;
    private readonly ContentRequests _contents;
    private readonly HoldRequests _holds;
    private readonly LeaseGrants _leases;
    private readonly SpaceReservations _reservations;
    /// <summary>Nodes whose holds and reservations are to be forgotten by whoever has the volume next.</summary>
    private readonly bool[] _departed = new bool[RpcEndpoint.MaxNode + 1];
    private bool _anyDeparted;

    /// <summary>
    /// Boot time. Panics when there is no memory for the buffers. Without an endpoint nobody is promised anything (LeaseGrants).
    /// </summary>
    public StorageMonitor(Volume volume, FrameAllocator frames, RpcEndpoint? rpc = null)
    {
        _volume = volume;
        _leases = new LeaseGrants(volume, rpc, frames);
        AccessTimes accessTimes = new(volume, _leases);
        _resolver = new PathResolver(volume, accessTimes, frames);
        _lookups = new LookupRequests(volume, _resolver, accessTimes, _leases, frames);
        _holds = new HoldRequests(volume, accessTimes);
        _names = new NameRequests(volume, _resolver, _holds, _leases);
        _attributes = new AttributeRequests(volume, _resolver, _leases);
        _extended = new ExtendedRequests(volume, _resolver, _leases, frames);
        _reservations = new SpaceReservations(volume);
        _contents = new ContentRequests(volume, _resolver, _reservations, _leases);
        if (!_resolver.IsUsable || !_lookups.IsUsable || !_extended.IsUsable)
        {
            Panic.Because("StorageMonitor: no memory for buffers");
        }
    }

    /// <summary>Requests answered since boot.</summary>
    public ulong RequestsServed { get; private set; }

    /// <summary>Space that files can still take.</summary>
    public ulong FreeBytes => _volume.FreeBytes;

    /// <summary>All requests can block on the device or on the lock.</summary>
    public override RpcDisposition TryHandle(ref RpcRequest request) => RpcDisposition.Deferred;

    /// <inheritdoc/>
    public override bool IsIdempotent(Opcode opcode) =>
        opcode is Opcode.ReadLink or Opcode.ReadAttribute or Opcode.ReadDirectory or Opcode.VolumeStatus
        or Opcode.StorageRead or Opcode.StorageSync or Opcode.StorageStatus or Opcode.StorageFindData or Opcode.StorageDigHoles
        or Opcode.StorageAllocate;

    /// <inheritdoc/>
    public override void Handle(ref RpcRequest request)
    {
        using SleepLock.Guard _ = _lock.Acquire();
        RequestsServed++;
        ForgetDeparted();
        if (!request.IsWanted)
        {
            // Its sender's life ended while the request waited for the lock: what it would hold, nobody would give back.
            request.Reply(Errno.ESTALE);
            return;
        }

        _volume.TimeNs = 0;
        _volume.WithheldBlocks = _reservations.WithheldFromAll;
        Errno seen = _volume.Views.Begin(request.VNode);
        if (seen == Errno.None)
        {
            Serve(ref request);
        }
        else
        {
            request.Reply(seen);
        }

        if (request.Status == Errno.EUCLEAN)
        {
            _volume.MarkDamaged();
        }
    }

    private void Serve(ref RpcRequest request)
    {
        switch (request.Opcode)
        {
            case Opcode.Open:
                _lookups.Open(ref request);
                break;
            case Opcode.MakeNode:
                _names.MakeNode(ref request);
                break;
            case Opcode.Unlink:
                _names.Unlink(ref request);
                break;
            case Opcode.Rename:
                _names.Rename(ref request);
                break;
            case Opcode.Link:
                _names.Link(ref request);
                break;
            case Opcode.ReadLink:
                _lookups.ReadLink(ref request);
                break;
            case Opcode.ReadDirectory:
                _lookups.ReadDirectory(ref request);
                break;
            case Opcode.SetAttributes:
                _attributes.SetAttributes(ref request);
                break;
            case Opcode.ReadAttribute:
                _extended.Read(ref request);
                break;
            case Opcode.ChangeAttribute:
                _extended.Change(ref request);
                break;
            case Opcode.VolumeStatus:
                _lookups.VolumeStatus(ref request);
                break;
            case Opcode.Release:
                _holds.Release(ref request);
                break;
            case Opcode.StorageRead:
                _contents.Read(ref request);
                break;
            case Opcode.StorageWrite:
                _contents.Write(ref request);
                break;
            case Opcode.StorageSync:
                _contents.Sync(ref request);
                break;
            case Opcode.StorageTruncate:
                _contents.Truncate(ref request);
                break;
            case Opcode.StorageStatus:
                _contents.Status(ref request);
                break;
            case Opcode.StorageFindData:
                _contents.FindData(ref request);
                break;
            case Opcode.StorageDigHoles:
                _contents.DigHoles(ref request);
                break;
            case Opcode.StorageAllocate:
                _contents.Allocate(ref request);
                break;
            case Opcode.StorageReserve:
                _reservations.Reserve(ref request);
                break;
            default:
                request.Reply(Errno.EOPNOTSUPP);
                break;
        }
    }

    /// <summary>Handles that were refused because their vNode was never led to them.</summary>
    internal ulong VNodeViolations => _volume.Views.Violations;

    /// <summary>
    /// Gives a vNode the tree below a directory, or new limits. Errors of the path, ENOTDIR; EEXIST: it has another one; ENOMEM.
    /// </summary>
    [Blocks]
    internal Errno AddRoot(in AdmitRequest vnode, ReadOnlySpan<byte> name, ReadOnlySpan<byte> path)
    {
        using SleepLock.Guard _ = _lock.Acquire();
        if (_volume.Views.TryUpdate(in vnode, name, path))
        {
            return Errno.None;
        }

        _volume.Views.Begin(0);
        using InodeHandle root = _resolver.Open(default, path, LastComponent.Follow, out ReadOnlySpan<byte> _, out Errno error);
        return error != Errno.None ? error
            : !root.IsDirectory ? Errno.ENOTDIR
            : _volume.Views.Add(in vnode, name, path, root.Number, _volume.Geometry.InodeCount);
    }

    /// <summary>What the manager has said of the vNode with the lowest number above another's. ENOENT: there is none.</summary>
    [Blocks]
    internal Errno NextVNode(ushort after, out AdmitRequest vnode, Span<byte> nameAndRoot)
    {
        using SleepLock.Guard _ = _lock.Acquire();
        VNodeText* next = null;
        for (int place = 0; place < VNodeTable.Most; place++)
        {
            VNodeText* text = _volume.Views.TextOf(place);
            if (text != null && text->Said.VNode > after && (next == null || text->Said.VNode < next->Said.VNode))
            {
                next = text;
            }
        }

        vnode = next == null ? default : next->Said;
        if (next != null)
        {
            next->NameAndRoot.CopyTo(nameAndRoot);
        }

        return next == null ? Errno.ENOENT : Errno.None;
    }

    /// <summary>A vNode sees nothing any more.</summary>
    [Blocks]
    internal void ForgetRoot(ushort vnode)
    {
        using SleepLock.Guard _ = _lock.Acquire();
        _volume.Views.Forget(vnode);
    }

    /// <summary>Writes everything and marks the volume clean unless it has files without a name. EIO.</summary>
    [Blocks]
    public Errno Sync()
    {
        using SleepLock.Guard _ = _lock.Acquire();
        ForgetDeparted();
        return _volume.Sync();
    }

    /// <summary>Orderly shutdown: nobody holds anything any more; writes everything and marks the volume clean. EIO.</summary>
    [Blocks]
    public Errno ShutDown()
    {
        _departed.AsSpan().Fill(true);
        _anyDeparted = true;
        return Sync();
    }

    /// <summary>
    /// A component failed, left, or lives again as another incarnation: what it held and reserved is given back soon. Never blocks.
    /// </summary>
    public void Departed(ushort node)
    {
        _departed[node] = true;
        _anyDeparted = true;
    }

    /// <summary>From now on changes reach the device within seconds without being asked for. Boot time.</summary>
    public void StartWriteBack()
    {
        if (Scheduler.Spawn(new WriteBack(this), null, "write-back"u8) == null)
        {
            Panic.Because("StorageMonitor: no memory for the write-back thread");
        }
    }

    /// <summary>Counters for the rack tool.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("storage.free_bytes"u8, _volume.FreeBytes);
        writer.Add("storage.free_inodes"u8, _volume.FreeInodes);
        writer.Add("storage.held_files"u8, _volume.Held.Count);
        writer.Add("storage.vnode_violations"u8, _volume.Views.Violations);
        _leases.Report(ref writer);
        writer.Add("storage.cache.hits"u8, _volume.Cache.Hits);
        writer.Add("storage.cache.misses"u8, _volume.Cache.Misses);
        writer.Add("storage.cache.write_backs"u8, _volume.Cache.WriteBacks);
        writer.Add("storage.paths.hits"u8, _resolver.Table.Hits);
        writer.Add("storage.paths.misses"u8, _resolver.Table.Misses);
        writer.Add("storage.bytes_read"u8, _contents.BytesRead);
        writer.Add("storage.bytes_written"u8, _contents.BytesWritten);
    }

    private void ForgetDeparted()
    {
        // Forgetting may block, and meanwhile others may depart.
        while (_anyDeparted)
        {
            _anyDeparted = false;
            for (int node = 0; node < _departed.Length; node++)
            {
                if (_departed[node])
                {
                    _departed[node] = false;
                    _holds.ForgetHolder((ushort)node);
                    _reservations.Forget((ushort)node);
                }
            }
        }
    }

    private sealed unsafe class WriteBack(StorageMonitor storage) : ThreadBody
    {
        public override void Run(void* argument) => storage.WriteBackForever();
    }

    private void WriteBackForever()
    {
        while (true)
        {
            Scheduler.Sleep(WriteBackIntervalNs);
            if ((_volume.IsChanged || _anyDeparted) && Sync() != Errno.None)
            {
                Log.Error($"storage: changes could not be written; trying again");
            }
        }
    }
}
