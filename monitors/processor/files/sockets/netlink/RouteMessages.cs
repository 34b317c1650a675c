// What rtnetlink(7) tells of interfaces, addresses, routes and neighbours: for getifaddrs(3), getaddrinfo(3) and ip(8). Pure over the
// stack's tables.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Writes one entry of a table as a message.</summary>
public static unsafe class RouteMessages
{
    public const ushort NewLink = 16;
    public const ushort GetLink = 18;
    public const ushort NewAddress = 20;
    public const ushort GetAddress = 22;
    public const ushort NewRoute = 24;
    public const ushort GetRoute = 26;
    public const ushort NewNeighbour = 28;
    public const ushort GetNeighbour = 30;

    private const int NameBytes = 16;
    private const int HardwareBytes = 6;
    private const uint Forever = uint.MaxValue;
    private const ulong SecondNs = 1_000_000_000;

    /// <summary>struct ifinfomsg.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LinkBody
    {
        internal byte Family;
        internal byte Padding;
        internal ushort Type;
        internal int Index;
        internal uint Flags;
        internal uint Change;
    }

    /// <summary>struct ifaddrmsg.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct AddressBody
    {
        internal byte Family;
        internal byte PrefixLength;
        internal byte Flags;
        internal byte Scope;
        internal uint Index;
    }

    /// <summary>struct ifa_cacheinfo.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct AddressTimes
    {
        internal uint Preferred;
        internal uint Valid;
        internal uint Created;
        internal uint Updated;
    }

    /// <summary>struct rtmsg.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct RouteBody
    {
        internal byte Family;
        internal byte DestinationLength;
        internal byte SourceLength;
        internal byte TypeOfService;
        internal byte Table;
        internal byte Protocol;
        internal byte Scope;
        internal byte Type;
        internal uint Flags;
    }

    /// <summary>How many entries the table of a request has; entries may be empty.</summary>
    public static int CountOf(NetworkStack stack, ushort request) => request switch
    {
        GetLink => stack.Interfaces.LastIndex + 1,
        GetAddress => stack.Addresses.Capacity,
        GetRoute => stack.Routes.Count,
        GetNeighbour => (int)stack.Neighbours.Count,
        _ => 0,
    };

    /// <summary>
    /// Writes an entry if there is one and it is of the wanted family and interface (0: any); false: it does not fit into what is left.
    /// </summary>
    public static bool TryWrite(
        NetworkStack stack, ushort request, int entry, int family, int wantedIndex, NetlinkHeader header, ref NetlinkWriter to)
    {
        return request switch
        {
            GetLink => TryWriteLink(stack, entry, wantedIndex, header, ref to),
            GetAddress => TryWriteAddress(stack, entry, family, wantedIndex, header, ref to),
            GetNeighbour => NeighbourMessages.TryWrite(stack, entry, family, wantedIndex, header, ref to),
            _ => TryWriteRoute(stack, entry, family, header, ref to),
        };
    }

    private static bool TryWriteLink(NetworkStack stack, int index, int wanted, NetlinkHeader header, ref NetlinkWriter to)
    {
        const ushort HardwareAddress = 1;
        const ushort Broadcast = 2;
        const ushort Name = 3;
        const ushort Mtu = 4;
        const ushort QueueDiscipline = 6;
        const ushort QueueLength = 13;
        const ushort OperationalState = 16;
        const ushort Carrier = 33;
        const byte StateUnknown = 0;
        const byte StateDown = 2;
        const byte StateUp = 6;
        if (!stack.Interfaces.Exists(index) || (wanted != 0 && wanted != index))
        {
            return true;
        }

        ref NetworkInterface link = ref stack.Interfaces[index];
        bool isLoopback = link.Kind == InterfaceKind.Loopback;
        header.Type = NewLink;
        LinkBody body = new()
        {
            Type = link.HardwareType,
            Index = index,
            Flags = InterfaceRequests.FlagsOf(in link),
        };
        Span<byte> name = stackalloc byte[NameBytes];
        Span<byte> hardware = stackalloc byte[HardwareBytes];
        to.Begin(in header, in body);
        to.AddText(Name, name.Slice(0, link.WriteName(name)));
        to.Add(QueueLength, 1000);
        byte state = isLoopback ? StateUnknown : link.HasCarrier ? StateUp : StateDown;
        to.Add(OperationalState, new ReadOnlySpan<byte>(in state));
        to.Add(Mtu, (uint)link.MtuBytes);
        byte carrier = link.HasCarrier || isLoopback ? (byte)1 : (byte)0;
        to.Add(Carrier, new ReadOnlySpan<byte>(in carrier));
        to.AddText(QueueDiscipline, "noqueue"u8);
        InterfaceRequests.WriteHardwareAddress(in link, hardware);
        to.Add(HardwareAddress, hardware);
        hardware.Fill(isLoopback ? (byte)0 : byte.MaxValue);
        to.Add(Broadcast, hardware);
        return to.TryEnd();
    }

    private static bool TryWriteAddress(
        NetworkStack stack, int entry, int family, int wanted, NetlinkHeader header, ref NetlinkWriter to)
    {
        const ushort Address = 1;
        const ushort Local = 2;
        const ushort Label = 3;
        const ushort Broadcast = 4;
        const ushort Times = 6;
        const ushort AllFlags = 8;
        const byte Permanent = 0x80;
        ref InterfaceAddress address = ref stack.Addresses[entry];
        bool isV4 = address.Address.IsV4;
        int itsFamily = isV4 ? AddressFamily.Internet : AddressFamily.Internet6;
        if (!address.IsAssigned || (family != 0 && family != itsFamily) || (wanted != 0 && wanted != address.InterfaceIndex))
        {
            return true;
        }

        header.Type = NewAddress;
        byte flags = address.IsDynamic ? (byte)0 : Permanent;
        AddressBody body = new()
        {
            Family = (byte)itsFamily,
            PrefixLength = address.PrefixLength,
            Flags = flags,
            Scope = ScopeOf(address.Address),
            Index = (uint)address.InterfaceIndex,
        };
        to.Begin(in header, in body);
        Span<byte> bytes = stackalloc byte[IpAddress.V6Bytes];
        to.Add(Address, BytesOf(address.Address, bytes));
        if (isV4)
        {
            Span<byte> name = stackalloc byte[NameBytes];
            to.Add(Local, BytesOf(address.Address, bytes));
            if (address.InterfaceIndex != InterfaceTable.LoopbackIndex)
            {
                to.Add(Broadcast, BytesOf(address.Broadcast, bytes));
            }

            to.AddText(Label, name.Slice(0, stack.Interfaces[address.InterfaceIndex].WriteName(name)));
        }

        to.Add(AllFlags, flags);
        AddressTimes times = new()
        {
            Preferred = SecondsTo(stack, address.PreferredUntilNs, address.IsDynamic),
            Valid = SecondsTo(stack, address.ValidUntilNs, address.IsDynamic),
        };
        to.Add(Times, MemoryMarshal.AsBytes(new ReadOnlySpan<AddressTimes>(in times)));
        return to.TryEnd();
    }

    private static bool TryWriteRoute(NetworkStack stack, int entry, int family, NetlinkHeader header, ref NetlinkWriter to)
    {
        const ushort Destination = 1;
        const ushort OutputInterface = 4;
        const ushort Gateway = 5;
        const ushort Priority = 6;
        const ushort PreferredSource = 7;
        const ushort Table = 15;
        const byte MainTable = 254;
        const byte Unicast = 1;
        const byte ByKernel = 2;
        const byte ByBoot = 3;
        const byte LinkScope = 253;
        const int MappedBits = 96;
        ref readonly Route route = ref stack.Routes[entry];
        bool isV4 = route.Destination.IsV4;
        int itsFamily = isV4 ? AddressFamily.Internet : AddressFamily.Internet6;
        if ((family != 0 && family != itsFamily) || route.InterfaceIndex == InterfaceTable.LoopbackIndex)
        {
            return true;
        }

        header.Type = NewRoute;
        int prefix = isV4 && route.PrefixLength > 32 ? route.PrefixLength - MappedBits : route.PrefixLength;
        RouteBody body = new()
        {
            Family = (byte)itsFamily,
            DestinationLength = (byte)prefix,
            Table = MainTable,
            Protocol = route.HasGateway ? ByBoot : ByKernel,
            Scope = isV4 && !route.HasGateway ? LinkScope : (byte)0,
            Type = Unicast,
        };
        Span<byte> bytes = stackalloc byte[IpAddress.V6Bytes];
        to.Begin(in header, in body);
        to.Add(Table, MainTable);
        if (prefix != 0)
        {
            to.Add(Destination, BytesOf(route.Destination, bytes));
        }

        if (route.HasGateway)
        {
            to.Add(Gateway, BytesOf(route.Gateway, bytes));
        }

        to.Add(OutputInterface, (uint)route.InterfaceIndex);
        if (route.Metric != 0)
        {
            to.Add(Priority, route.Metric);
        }

        if (!route.PreferredSource.IsUnspecified)
        {
            to.Add(PreferredSource, BytesOf(route.PreferredSource, bytes));
        }

        return to.TryEnd();
    }

    private static byte ScopeOf(IpAddress address)
    {
        const byte Host = 254;
        const byte Link = 253;
        return address.IsLoopback ? Host : address.IsLinkLocal ? Link : (byte)0;
    }

    /// <summary>An address as attributes have it: four bytes or sixteen.</summary>
    internal static ReadOnlySpan<byte> BytesOf(IpAddress address, Span<byte> room)
    {
        if (address.IsV4)
        {
            address.WriteV4(room);
            return room.Slice(0, IpAddress.V4Bytes);
        }

        address.WriteV6(room);
        return room;
    }

    private static uint SecondsTo(NetworkStack stack, ulong whenNs, bool isDynamic)
    {
        ulong now = stack.Clock.NowNs;
        return !isDynamic || whenNs == NetworkClock.Never ? Forever
            : whenNs <= now ? 0 : (uint)Math.Min((whenNs - now) / SecondNs, Forever - 1);
    }
}
