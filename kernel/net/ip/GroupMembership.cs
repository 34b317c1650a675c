// The host's part of group management, as far as joining needs: IGMPv3 (RFC 3376, 5) and MLDv2 (RFC 3810, 6) with reports "from any
// source", IGMPv2 (RFC 2236) and MLDv1 (RFC 2710) while an older router asks on the link. Source filters are not done: a report names
// none.

using System;

namespace Lego.Kernel;

/// <summary>Joins, leaves, and answers routers.</summary>
public sealed class GroupMembership
{
    /// <summary>Robustness variable: how often a change is reported (RFC 3376, 8.1).</summary>
    private const int Robustness = 2;

    /// <summary>Between unsolicited reports (RFC 3376, 8.11; RFC 3810, 9.11).</summary>
    private const ulong UnsolicitedNs = NetworkClock.NsPerSecond;

    /// <summary>How long an older router is believed to be there (RFC 3376, 8.12).</summary>
    private const ulong OlderRouterNs = 260 * NetworkClock.NsPerSecond;

    private const ulong IgmpUnitNs = NetworkClock.NsPerSecond / 10;
    private const ulong DefaultResponseNs = 10 * NetworkClock.NsPerSecond;
    private const uint AllRouters = 0xE000_0002;
    private const uint IgmpV3Routers = 0xE000_0016;

    private readonly NetworkClock _clock;
    private readonly NetworkRandom _random;
    private readonly GroupTable _table;
    private readonly InterfaceTable _interfaces;
    private readonly IpOutput _output;
    private readonly NetworkCounters _counters;
    private readonly ulong[] _olderIgmpUntilNs;
    private readonly ulong[] _olderMldUntilNs;
    private ulong _nextDeadlineNs = NetworkClock.Never;

    public GroupMembership(
        NetworkClock clock, NetworkRandom random, GroupTable table, InterfaceTable interfaces, IpOutput output,
        NetworkCounters counters)
    {
        _clock = clock;
        _random = random;
        _table = table;
        _interfaces = interfaces;
        _output = output;
        _counters = counters;
        _olderIgmpUntilNs = new ulong[InterfaceTable.Capacity];
        _olderMldUntilNs = new ulong[InterfaceTable.Capacity];
    }

    public ulong NextDeadlineNs => _nextDeadlineNs;

    /// <summary>Listens to a group on an interface: ENODEV, ENOBUFS. Each join wants a leave.</summary>
    public Errno Join(IpAddress group, int interfaceIndex)
    {
        if (!_interfaces.Exists(interfaceIndex))
        {
            return Errno.ENODEV;
        }

        int index = _table.Add(group, interfaceIndex);
        if (index < 0)
        {
            return Errno.ENOBUFS;
        }

        ref GroupEntry entry = ref _table[index];
        if (entry.References == 1 && IsReported(group, interfaceIndex))
        {
            Report(group, interfaceIndex, GroupRecord.ChangeToExclude);
            entry.ReportsLeft = Robustness - 1;
            Schedule(ref entry, _random.Below(UnsolicitedNs));
        }

        return Errno.None;
    }

    /// <summary>The end of one join: EADDRNOTAVAIL.</summary>
    public Errno Leave(IpAddress group, int interfaceIndex)
    {
        int index = _table.Find(group, interfaceIndex);
        if (index < 0)
        {
            return Errno.EADDRNOTAVAIL;
        }

        if (--_table[index].References == 0 && IsReported(group, interfaceIndex))
        {
            Report(group, interfaceIndex, GroupRecord.ChangeToInclude);
        }

        return Errno.None;
    }

    /// <summary>Takes an IGMP message.</summary>
    public void OnIgmp(scoped in IncomingPacket packet)
    {
        if (!IgmpMessage.TryParse(packet.Payload, out IgmpMessage message))
        {
            _counters.Icmpv4.InErrors++;
            return;
        }

        if (message.Type != IgmpMessage.Query)
        {
            return;
        }

        _counters.Icmpv4.InGroupMembQueries++;
        if (!message.IsVersion3)
        {
            _olderIgmpUntilNs[packet.InterfaceIndex] = _clock.NowNs + OlderRouterNs;
        }

        ulong within = message.MaxResponse == 0 ? DefaultResponseNs : ResponseTime(message.MaxResponse) * IgmpUnitNs;
        OnQuery(IpAddress.FromV4(message.Group), packet.InterfaceIndex, within);
    }

    /// <summary>Takes an MLD query; only routers of the link may ask (RFC 3810, 6.2).</summary>
    public void OnMldQuery(scoped in IncomingPacket packet)
    {
        if (packet.Payload.Length < MldMessage.SizeBytes || !packet.Source.IsLinkLocal || packet.HopLimit != 1)
        {
            return;
        }

        if (packet.Payload.Length < MldMessage.QueryV2Bytes)
        {
            _olderMldUntilNs[packet.InterfaceIndex] = _clock.NowNs + OlderRouterNs;
        }

        IcmpHeader.TryParse(packet.Payload, out IcmpHeader header);
        ulong within = (ulong)(header.Parameter >> 16) * NetworkClock.NsPerMillisecond;
        OnQuery(IpAddress.FromV6(header.Body), packet.InterfaceIndex, Math.Max(within, NetworkClock.NsPerMillisecond));
    }

    /// <summary>Makes the reports whose time has come.</summary>
    public void OnTime()
    {
        if (_clock.NowNs < _nextDeadlineNs)
        {
            return;
        }

        _nextDeadlineNs = NetworkClock.Never;
        for (int index = 0; index < _table.Capacity; index++)
        {
            ref GroupEntry entry = ref _table[index];
            if (entry.References == 0 || entry.ReportAtNs == NetworkClock.Never)
            {
                continue;
            }

            if (entry.ReportAtNs <= _clock.NowNs)
            {
                bool isChange = entry.ReportsLeft > 0;
                Report(entry.Group, entry.InterfaceIndex, isChange ? GroupRecord.ChangeToExclude : GroupRecord.ModeIsExclude);
                entry.ReportAtNs = NetworkClock.Never;
                if (isChange && --entry.ReportsLeft > 0)
                {
                    Schedule(ref entry, _random.Below(UnsolicitedNs));
                }
            }

            _nextDeadlineNs = Math.Min(_nextDeadlineNs, entry.ReportAtNs);
        }
    }

    private void OnQuery(IpAddress group, int interfaceIndex, ulong withinNs)
    {
        for (int index = 0; index < _table.Capacity; index++)
        {
            ref GroupEntry entry = ref _table[index];
            bool isAsked = entry.References > 0 && entry.InterfaceIndex == interfaceIndex && entry.Group.IsV4 == group.IsV4
                && (group.IsUnspecified || entry.Group.Equals(group)) && IsReported(entry.Group, interfaceIndex);
            if (isAsked && (entry.ReportAtNs == NetworkClock.Never || entry.ReportAtNs > _clock.NowNs + withinNs))
            {
                Schedule(ref entry, _random.Below(withinNs));
            }
        }
    }

    /// <summary>Exponent and mantissa of longer times (RFC 3376, 4.1.1).</summary>
    private static ulong ResponseTime(byte code) =>
        code < 128 ? code : (ulong)((code & 0xF) | 0x10) << (((code >> 4) & 7) + 3);

    private bool IsReported(IpAddress group, int interfaceIndex)
    {
        const int interfaceLocalScope = 1;
        return _interfaces[interfaceIndex].Kind != InterfaceKind.Loopback && !GroupTable.IsOfAllNodes(group)
            && (group.IsV4 || ((int)(group.First >> 48) & 0xF) > interfaceLocalScope);
    }

    private void Schedule(ref GroupEntry entry, ulong afterNs)
    {
        entry.ReportAtNs = _clock.NowNs + afterNs;
        _nextDeadlineNs = Math.Min(_nextDeadlineNs, entry.ReportAtNs);
    }

    private void Report(IpAddress group, int interfaceIndex, GroupRecord record)
    {
        _counters.Icmp(group.IsV4).OutGroupMembReports++;
        if (group.IsV4)
        {
            ReportIgmp(group, interfaceIndex, record);
        }
        else
        {
            ReportMld(group, interfaceIndex, record);
        }
    }

    private void ReportIgmp(IpAddress group, int interfaceIndex, GroupRecord record)
    {
        Span<byte> message = stackalloc byte[IgmpMessage.ReportV3Bytes];
        IpAddress destination = IpAddress.FromV4(IgmpV3Routers);
        if (_clock.NowNs < _olderIgmpUntilNs[interfaceIndex])
        {
            bool leaves = record == GroupRecord.ChangeToInclude;
            message = message.Slice(0, IgmpMessage.SizeBytes);
            IgmpMessage.Write(message, leaves ? IgmpMessage.Leave : IgmpMessage.ReportV2, group.V4);
            destination = leaves ? IpAddress.FromV4(AllRouters) : group;
        }
        else
        {
            IgmpMessage.WriteV3(message, record, group.V4);
        }

        OutgoingPacket packet = new(IpAddress.AnyV4, destination, IpProtocol.Igmp);
        packet.InterfaceIndex = interfaceIndex;
        packet.HopLimit = 1;
        packet.HasRouterAlert = true;
        packet.MayLackSource = true;
        _output.Send(packet, default, message, default);
    }

    private void ReportMld(IpAddress group, int interfaceIndex, GroupRecord record)
    {
        Span<byte> message = stackalloc byte[MldMessage.ReportV2Bytes];
        IpAddress destination = IpAddress.FromV6(0xFF02UL << 48, IgmpV3Routers & 0xFF);
        if (_clock.NowNs < _olderMldUntilNs[interfaceIndex])
        {
            bool leaves = record == GroupRecord.ChangeToInclude;
            message = message.Slice(0, MldMessage.SizeBytes);
            MldMessage.WriteV1(message, leaves ? Icmpv6Type.ListenerDone : Icmpv6Type.ListenerReport, group);
            destination = leaves ? IpAddress.FromV6(0xFF02UL << 48, 2) : group;
        }
        else
        {
            MldMessage.WriteReportV2(message, record, group);
        }

        OutgoingPacket packet = new(default, destination, IpProtocol.Icmpv6);
        packet.InterfaceIndex = interfaceIndex;
        packet.HopLimit = 1;
        packet.HasRouterAlert = true;
        // Before there is a link-local address the source is unspecified (RFC 3590).
        packet.MayLackSource = true;
        if (_output.TryFindPath(packet, out IpPath path) == Errno.None)
        {
            path.Source = path.Source.IsLinkLocal ? path.Source : default;
            ChecksumField.Write(message, IcmpHeader.ChecksumOffset, path.Source, destination, IpProtocol.Icmpv6);
            _counters.Icmpv6.OutMsgs++;
            _output.Send(packet, path, default, message, default);
        }
    }
}
