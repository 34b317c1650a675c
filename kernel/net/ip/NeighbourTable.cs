// The neighbour cache of both versions (RFC 826, RFC 4861 7.2 and 7.3): a bounded hash table. A flood of strangers, or of our own
// attempts to reach addresses where nobody lives, evicts other such entries only: at most half of the table may be unresolved, and what
// has been used lately stays. One packet waits for each address; a newer one takes its place (RFC 4861, 7.2.2).

using System;

namespace Lego.Kernel;

/// <summary>Asks for addresses and sends what has waited; LinkOutput implements it.</summary>
public abstract unsafe class NeighbourHost
{
    /// <summary>Asks who has an address; directly when the hardware address is not 0.</summary>
    public abstract void Ask(int interfaceIndex, IpAddress target, ulong hardwareAddress, IpAddress sourceHint);

    /// <summary>Sends a packet that has waited, and releases it.</summary>
    public abstract void SendWaiting(int interfaceIndex, ulong hardwareAddress, Packet* packet);

    /// <summary>Nobody has answered: tells the sender of a packet that has waited (RFC 4861, 7.2.2), and releases it.</summary>
    public abstract void GiveUp(Packet* packet);
}

/// <summary>The cache.</summary>
public sealed unsafe class NeighbourTable
{
    /// <summary>Entries at a time.</summary>
    public const int Capacity = 512;

    private const int MaxUnresolved = Capacity / 2;
    private const int Buckets = 256;
    /// <summary>MAX_MULTICAST_SOLICIT and MAX_UNICAST_SOLICIT (RFC 4861, 10).</summary>
    private const int MaxProbes = 3;
    /// <summary>DELAY_FIRST_PROBE_TIME.</summary>
    private const ulong DelayNs = 5 * NetworkClock.NsPerSecond;
    /// <summary>How long a failure is remembered before somebody may ask again.</summary>
    private const ulong FailedNs = NetworkClock.NsPerSecond;

    private readonly NetworkClock _clock;
    private readonly NetworkRandom _random;
    private readonly InterfaceTable _interfaces;
    private readonly NetworkCounters _counters;
    private readonly PacketStore _packets;
    private readonly Slab<Neighbour> _slab;
    private readonly nint[] _buckets = new nint[Buckets];
    /// <summary>Found last: packets come in runs.</summary>
    private Neighbour* _recent;
    private int _unresolved;
    private ulong _nextDeadlineNs = NetworkClock.Never;

    public NeighbourTable(
        FrameAllocator frames, NetworkClock clock, NetworkRandom random, InterfaceTable interfaces, NetworkCounters counters,
        PacketStore packets)
    {
        _slab = new Slab<Neighbour>(frames, Capacity);
        _clock = clock;
        _random = random;
        _interfaces = interfaces;
        _counters = counters;
        _packets = packets;
    }

    public ulong Count => _slab.InUse;

    /// <summary>
    /// When <see cref="OnTime"/> has something to do. Entries that are merely old have no deadline: an idle network wakes nobody.
    /// </summary>
    public ulong NextDeadlineNs => _nextDeadlineNs;

    /// <summary>The entry of an address, or null.</summary>
    public Neighbour* Find(int interfaceIndex, IpAddress address)
    {
        if (_recent != null && _recent->InterfaceIndex == interfaceIndex && _recent->Address.Equals(address))
        {
            return _recent;
        }

        Neighbour* entry = (Neighbour*)_buckets[BucketOf(interfaceIndex, address)];
        while (entry != null && (entry->InterfaceIndex != interfaceIndex || !entry->Address.Equals(address)))
        {
            entry = entry->NextInBucket;
        }

        _recent = entry;
        return entry;
    }

    /// <summary>The entry after another one in no particular order, the first for null; null at the end.</summary>
    public Neighbour* Next(Neighbour* entry)
    {
        if (entry != null && entry->NextInBucket != null)
        {
            return entry->NextInBucket;
        }

        for (int bucket = entry == null ? 0 : BucketOf(entry->InterfaceIndex, entry->Address) + 1; bucket < Buckets; bucket++)
        {
            if (_buckets[bucket] != 0)
            {
                return (Neighbour*)_buckets[bucket];
            }
        }

        return null;
    }

    /// <summary>The entry with so many before it, or null: for who tells the whole table in pieces.</summary>
    public Neighbour* At(int position)
    {
        Neighbour* entry = Next(null);
        for (; position > 0 && entry != null; position--)
        {
            entry = Next(entry);
        }

        return entry;
    }

    /// <summary>
    /// The hardware address to send to, and true; or false: asks for it, and the caller hands its packet to <see cref="Wait"/> if the entry
    /// is not null. Null: EHOSTUNREACH or ENOBUFS in <paramref name="error"/>.
    /// </summary>
    public bool TryResolve(
        NeighbourHost host, int interfaceIndex, IpAddress address, IpAddress sourceHint, out ulong hardwareAddress, out Neighbour* entry,
        out Errno error)
    {
        _counters.Neighbours.Lookups++;
        error = Errno.None;
        entry = Find(interfaceIndex, address);
        if (entry == null)
        {
            entry = Add(interfaceIndex, address);
            if (entry == null)
            {
                hardwareAddress = 0;
                error = Errno.ENOBUFS;
                return false;
            }
        }
        else
        {
            _counters.Neighbours.Hits++;
        }

        entry->UsedNs = _clock.NowNs;
        hardwareAddress = entry->HardwareAddress;
        switch (entry->State)
        {
            case NeighbourState.Reachable when _clock.NowNs - entry->ConfirmedNs >= ReachableNs(interfaceIndex):
            case NeighbourState.Stale:
                entry->Probes = 0;
                SetState(entry, NeighbourState.Delay, DelayNs);
                return true;
            case NeighbourState.None:
                entry->Probes = 1;
                SetState(entry, NeighbourState.Incomplete, RetransmitNs(interfaceIndex));
                host.Ask(interfaceIndex, address, 0, sourceHint);
                return false;
            case NeighbourState.Failed:
                entry = null;
                error = Errno.EHOSTUNREACH;
                return false;
            default:
                return entry->IsUsable;
        }
    }

    /// <summary>Keeps a packet until the address is known; takes the reference over.</summary>
    public void Wait(Neighbour* entry, Packet* packet)
    {
        if (entry->Waiting != null)
        {
            _counters.Neighbours.UnresolvedDiscards++;
            _packets.Release(entry->Waiting);
        }

        entry->Waiting = packet;
    }

    /// <summary>
    /// Somebody has said where he lives without being asked (an ARP request, a solicitation): a new entry is stale, a known address
    /// that changes
    /// too (RFC 4861, 7.2.3).
    /// </summary>
    /// <param name="mayCreate">False: only entries that exist are brought up to date.</param>
    public void Learn(NeighbourHost host, int interfaceIndex, IpAddress address, ulong hardwareAddress, bool mayCreate)
    {
        Neighbour* entry = Find(interfaceIndex, address);
        if (entry == null)
        {
            entry = mayCreate ? Add(interfaceIndex, address) : null;
        }

        if (entry == null || entry->State == NeighbourState.Permanent || (entry->IsUsable && entry->HardwareAddress == hardwareAddress))
        {
            return;
        }

        entry->HardwareAddress = hardwareAddress;
        SetState(entry, NeighbourState.Stale, NetworkClock.Never);
        SendWaiting(host, entry);
    }

    /// <summary>An answer (an ARP reply, an advertisement; RFC 4861, 7.2.5). Nobody who was not asked makes an entry by it.</summary>
    public void Confirm(
        NeighbourHost host, int interfaceIndex, IpAddress address, bool hasHardwareAddress, ulong hardwareAddress, NeighbourAnswer answer)
    {
        Neighbour* entry = Find(interfaceIndex, address);
        if (entry == null || entry->State == NeighbourState.Permanent)
        {
            return;
        }

        bool isSolicited = (answer & NeighbourAnswer.Solicited) != 0;
        entry->IsRouter = (answer & NeighbourAnswer.Router) != 0;
        if (!entry->IsUsable)
        {
            if (!hasHardwareAddress)
            {
                return;
            }

            entry->HardwareAddress = hardwareAddress;
            Settle(entry, isSolicited);
            SendWaiting(host, entry);
            return;
        }

        bool differs = hasHardwareAddress && entry->HardwareAddress != hardwareAddress;
        if (differs && (answer & NeighbourAnswer.Override) == 0)
        {
            if (entry->State == NeighbourState.Reachable)
            {
                SetState(entry, NeighbourState.Stale, NetworkClock.Never);
            }

            return;
        }

        if (differs)
        {
            entry->HardwareAddress = hardwareAddress;
        }

        if (isSolicited || differs)
        {
            Settle(entry, isSolicited);
        }
    }

    /// <summary>Sets an entry by hand; it stays until it is removed. ENOBUFS.</summary>
    public Errno SetPermanent(NeighbourHost host, int interfaceIndex, IpAddress address, ulong hardwareAddress)
    {
        Neighbour* entry = Find(interfaceIndex, address);
        entry = entry == null ? Add(interfaceIndex, address) : entry;
        if (entry == null)
        {
            return Errno.ENOBUFS;
        }

        entry->HardwareAddress = hardwareAddress;
        SetState(entry, NeighbourState.Permanent, NetworkClock.Never);
        SendWaiting(host, entry);
        return Errno.None;
    }

    /// <summary>Moves entries on whose time has come.</summary>
    public void OnTime(NeighbourHost host)
    {
        if (_clock.NowNs < _nextDeadlineNs)
        {
            return;
        }

        _nextDeadlineNs = NetworkClock.Never;
        PacketQueue givenUp = default;
        for (int bucket = 0; bucket < Buckets; bucket++)
        {
            Neighbour* next;
            for (Neighbour* entry = (Neighbour*)_buckets[bucket]; entry != null; entry = next)
            {
                next = entry->NextInBucket;
                if (entry->DeadlineNs <= _clock.NowNs)
                {
                    OnDeadline(host, entry, ref givenUp);
                }
                else if (entry->DeadlineNs < _nextDeadlineNs)
                {
                    _nextDeadlineNs = entry->DeadlineNs;
                }
            }
        }

        // Whoever hears of it may send at once, which changes the table.
        for (Packet* packet = givenUp.Take(); packet != null; packet = givenUp.Take())
        {
            host.GiveUp(packet);
        }
    }

    private void OnDeadline(NeighbourHost host, Neighbour* entry, ref PacketQueue givenUp)
    {
        switch (entry->State)
        {
            case NeighbourState.Incomplete when entry->Probes < MaxProbes:
                entry->Probes++;
                SetState(entry, NeighbourState.Incomplete, RetransmitNs(entry->InterfaceIndex));
                host.Ask(entry->InterfaceIndex, entry->Address, 0, default);
                break;
            case NeighbourState.Delay:
            case NeighbourState.Probe when entry->Probes < MaxProbes:
                entry->Probes++;
                SetState(entry, NeighbourState.Probe, RetransmitNs(entry->InterfaceIndex));
                host.Ask(entry->InterfaceIndex, entry->Address, entry->HardwareAddress, default);
                break;
            case NeighbourState.Failed:
                Remove(entry);
                break;
            default:
                Fail(entry, ref givenUp);
                break;
        }
    }

    private void Fail(Neighbour* entry, ref PacketQueue givenUp)
    {
        _counters.Neighbours.ResFailed++;
        SetState(entry, NeighbourState.Failed, FailedNs);
        Packet* waiting = entry->Waiting;
        entry->Waiting = null;
        if (waiting != null)
        {
            givenUp.Add(waiting);
        }
    }

    private void Settle(Neighbour* entry, bool isSolicited)
    {
        entry->Probes = 0;
        if (isSolicited)
        {
            entry->ConfirmedNs = _clock.NowNs;
        }

        // What is reachable grows stale when it is used after its time, not by a timer.
        SetState(entry, isSolicited ? NeighbourState.Reachable : NeighbourState.Stale, NetworkClock.Never);
    }

    private static void SendWaiting(NeighbourHost host, Neighbour* entry)
    {
        Packet* waiting = entry->Waiting;
        entry->Waiting = null;
        if (waiting != null)
        {
            host.SendWaiting(entry->InterfaceIndex, entry->HardwareAddress, waiting);
        }
    }

    private void SetState(Neighbour* entry, NeighbourState state, ulong afterNs)
    {
        bool wasUnresolved = !entry->IsUsable;
        entry->State = state;
        entry->UpdatedNs = _clock.NowNs;
        _unresolved += (entry->IsUsable ? 0 : 1) - (wasUnresolved ? 1 : 0);
        entry->DeadlineNs = afterNs == NetworkClock.Never ? NetworkClock.Never : _clock.NowNs + afterNs;
        _nextDeadlineNs = Math.Min(_nextDeadlineNs, entry->DeadlineNs);
    }

    private Neighbour* Add(int interfaceIndex, IpAddress address)
    {
        if ((_unresolved >= MaxUnresolved || Count >= Capacity) && !EvictOldest())
        {
            _counters.Neighbours.TableFulls++;
            return null;
        }

        Neighbour* entry = _slab.Allocate();
        if (entry == null)
        {
            return null;
        }

        _counters.Neighbours.Allocs++;
        entry->Address = address;
        entry->InterfaceIndex = interfaceIndex;
        entry->UsedNs = _clock.NowNs;
        entry->UpdatedNs = _clock.NowNs;
        entry->DeadlineNs = NetworkClock.Never;
        _unresolved++;
        int bucket = BucketOf(interfaceIndex, address);
        entry->NextInBucket = (Neighbour*)_buckets[bucket];
        _buckets[bucket] = (nint)entry;
        return entry;
    }

    /// <summary>Makes room: of unresolved entries if they have their share, else of all, the one that was used longest ago.</summary>
    private bool EvictOldest()
    {
        _counters.Neighbours.ForcedGcRuns++;
        bool onlyUnresolved = _unresolved >= MaxUnresolved;
        Neighbour* oldest = null;
        for (int bucket = 0; bucket < Buckets; bucket++)
        {
            for (Neighbour* entry = (Neighbour*)_buckets[bucket]; entry != null; entry = entry->NextInBucket)
            {
                if (entry->State != NeighbourState.Permanent && !(onlyUnresolved && entry->IsUsable)
                    && (oldest == null || entry->UsedNs < oldest->UsedNs))
                {
                    oldest = entry;
                }
            }
        }

        if (oldest == null)
        {
            return false;
        }

        Remove(oldest);
        return true;
    }

    private void Remove(Neighbour* entry)
    {
        int bucket = BucketOf(entry->InterfaceIndex, entry->Address);
        if ((Neighbour*)_buckets[bucket] == entry)
        {
            _buckets[bucket] = (nint)entry->NextInBucket;
        }
        else
        {
            Neighbour* before = (Neighbour*)_buckets[bucket];
            while (before->NextInBucket != entry)
            {
                before = before->NextInBucket;
            }

            before->NextInBucket = entry->NextInBucket;
        }

        _recent = null;
        _unresolved -= entry->IsUsable ? 0 : 1;
        if (entry->Waiting != null)
        {
            _counters.Neighbours.UnresolvedDiscards++;
            _packets.Release(entry->Waiting);
        }

        _slab.Free(entry);
    }

    private int BucketOf(int interfaceIndex, IpAddress address) =>
        (int)(_random.OffsetFor(address.First ^ (ulong)interfaceIndex, address.Second) % Buckets);

    private ulong ReachableNs(int interfaceIndex) => _interfaces[interfaceIndex].ReachableNs;

    private ulong RetransmitNs(int interfaceIndex) => _interfaces[interfaceIndex].RetransmitNs;
}

/// <summary>The flags of an answer (RFC 4861, 4.4).</summary>
[Flags]
public enum NeighbourAnswer : byte
{
    None = 0,
    Router = 1,
    Solicited = 2,
    Override = 4,
}
