// What rtnetlink(7) tells of neighbours (RTM_GETNEIGH), for ip-neighbour(8) and arp(8). Pure over the stack's table.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Writes one neighbour as a message.</summary>
public static unsafe class NeighbourMessages
{
    private const int HardwareBytes = 6;
    /// <summary>What Linux's USER_HZ makes of a second.</summary>
    private const ulong TickNs = 10_000_000;

    /// <summary>struct ndmsg.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct NeighbourBody
    {
        internal byte Family;
        internal byte Padding;
        internal ushort Padding2;
        internal int Index;
        internal ushort State;
        internal byte Flags;
        internal byte Type;
    }

    /// <summary>struct nda_cacheinfo: ticks since.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct NeighbourTimes
    {
        internal uint Confirmed;
        internal uint Used;
        internal uint Updated;
        internal uint References;
    }

    /// <summary>
    /// Whether a request asks for addresses that this node would answer for in place of others (NTF_PROXY), of which it has none.
    /// </summary>
    public static bool IsOfProxies(ReadOnlySpan<byte> body)
    {
        const byte Proxies = 8;
        const int FlagsOffset = 10;
        return body.Length >= sizeof(NeighbourBody) && body[FlagsOffset] == Proxies;
    }

    /// <summary>
    /// Writes a neighbour if there is one and it is of the wanted family and interface (0: any); false: it does not fit into what is left.
    /// </summary>
    public static bool TryWrite(
        NetworkStack stack, int entry, int family, int wantedIndex, NetlinkHeader header, ref NetlinkWriter to)
    {
        const ushort Destination = 1;
        const ushort HardwareAddress = 2;
        const ushort Times = 3;
        const ushort Probes = 4;
        const byte Unicast = 1;
        const byte Router = 0x80;
        Neighbour* neighbour = stack.Neighbours.At(entry);
        if (neighbour == null)
        {
            return true;
        }

        int itsFamily = neighbour->Address.IsV4 ? AddressFamily.Internet : AddressFamily.Internet6;
        if ((family != 0 && family != itsFamily) || (wantedIndex != 0 && wantedIndex != neighbour->InterfaceIndex))
        {
            return true;
        }

        header.Type = RouteMessages.NewNeighbour;
        NeighbourBody body = new()
        {
            Family = (byte)itsFamily,
            Index = neighbour->InterfaceIndex,
            State = (ushort)neighbour->State,
            Flags = neighbour->IsRouter ? Router : (byte)0,
            Type = Unicast,
        };
        Span<byte> bytes = stackalloc byte[IpAddress.V6Bytes];
        to.Begin(in header, in body);
        to.Add(Destination, RouteMessages.BytesOf(neighbour->Address, bytes));
        if (neighbour->IsUsable)
        {
            for (int index = 0; index < HardwareBytes; index++)
            {
                bytes[index] = (byte)(neighbour->HardwareAddress >> (8 * (HardwareBytes - 1 - index)));
            }

            to.Add(HardwareAddress, bytes.Slice(0, HardwareBytes));
        }

        to.Add(Probes, (uint)neighbour->Probes);
        NeighbourTimes times = new()
        {
            Confirmed = TicksSince(stack, neighbour->ConfirmedNs),
            Used = TicksSince(stack, neighbour->UsedNs),
            Updated = TicksSince(stack, neighbour->UpdatedNs),
        };
        to.Add(Times, MemoryMarshal.AsBytes(new ReadOnlySpan<NeighbourTimes>(in times)));
        return to.TryEnd();
    }

    private static uint TicksSince(NetworkStack stack, ulong whenNs)
    {
        ulong now = stack.Clock.NowNs;
        return whenNs >= now ? 0 : (uint)Math.Min((now - whenNs) / TickNs, uint.MaxValue);
    }
}
