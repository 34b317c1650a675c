// The routing table against a search of all routes for the longest prefix, and the choice of source addresses (RFC 6724).

using System.Collections.Generic;
using System.Linq;
using System.Numerics;
using CsCheck;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network.Ip;

public sealed class RoutingTests
{
    [Fact]
    public void The_longest_prefix_wins_then_the_lowest_metric_then_the_older_route()
    {
        Gen<Route> routes =
            from isV4 in Gen.Bool
            from bits in Gen.Int[0, isV4 ? 32 : 128]
            from high in Gen.ULong[0, 7]
            from low in Gen.ULong[0, 7]
            from metric in Gen.UInt[0, 3]
            from link in Gen.Int[1, 3]
            select RouteOf(Address(isV4, high, low), (byte)bits, metric, link);
        Gen<IpAddress> targets = Gen.Select(Gen.Bool, Gen.ULong[0, 7], Gen.ULong[0, 7], Address);
        Gen.Select(routes.Array[0, 60], targets.Array[20], Gen.Int[0, 3]).Sample((added, wanted, link) =>
        {
            RoutingTable table = new();
            List<Route> kept = [];
            foreach (Route route in added)
            {
                Errno expected = kept.Any(other => IsSame(route, other)) ? Errno.EEXIST : Errno.None;
                if (table.Add(route) != expected)
                {
                    return false;
                }

                if (expected == Errno.None)
                {
                    kept.Add(route);
                }
            }

            return wanted.All(target => Agrees(table, kept, target, link));
        });
    }

    [Fact]
    public void A_full_table_says_so_and_keeps_what_it_has()
    {
        RoutingTable table = new();
        for (uint index = 0; index < RoutingTable.Capacity; index++)
        {
            Assert.Equal(Errno.None, table.Add(RouteOf(IpAddress.FromV4(index << 8), 24, 0, 1)));
        }

        Assert.Equal(Errno.ENOBUFS, table.Add(RouteOf(IpAddress.FromV4(0xC0000000), 24, 0, 1)));
        Assert.True(table.TryFind(IpAddress.FromV4(0x0505), 0, out Route found));
        Assert.Equal(0x0500U, found.Destination.V4);
    }

    [Fact]
    public void Bits_beyond_the_prefix_are_refused() =>
        Assert.Equal(Errno.EINVAL, new RoutingTable().Add(new Route { Destination = TestNode.V4("10.0.0.1"), PrefixLength = 24 }));

    [Fact]
    public void Routes_end_with_their_time()
    {
        RoutingTable table = new();
        Route route = RouteOf(TestNode.V4("10.0.0.0"), 8, 0, 1);
        route.ExpiresNs = 100;
        table.Add(route);
        Assert.Equal(100UL, table.RemoveExpired(99));
        Assert.Equal(NetworkClock.Never, table.RemoveExpired(100));
        Assert.Equal(0, table.Count);
    }

    [Theory]
    [InlineData("2001:db8:1::7", 2, "2001:db8:1::1")]
    [InlineData("2001:db8:2::7", 2, "2001:db8:2::1")]
    [InlineData("fe80::7", 2, "fe80::1")]
    [InlineData("ff02::1", 2, "fe80::1")]
    [InlineData("::1", 1, "::1")]
    [InlineData("10.1.2.3", 2, "10.1.0.1")]
    public void The_source_has_the_scope_and_the_longest_prefix(string destination, int link, string expected)
    {
        AddressTable table = new();
        Add(table, "::1", 128, 1, AddressState.Preferred);
        Add(table, "127.0.0.1", 8, 1, AddressState.Preferred);
        Add(table, "fe80::1", 64, 2, AddressState.Preferred);
        Add(table, "2001:db8:1::1", 64, 2, AddressState.Preferred);
        Add(table, "2001:db8:2::1", 64, 2, AddressState.Preferred);
        Add(table, "2001:db8:2::2", 64, 2, AddressState.Deprecated);
        Add(table, "2001:db8:1::7", 64, 2, AddressState.Tentative);
        Add(table, "10.1.0.1", 16, 2, AddressState.Preferred);
        IpAddress source = table.SourceFor(TestNode.Of(System.Net.IPAddress.Parse(destination)), link);
        Assert.Equal(TestNode.Bytes(TestNode.Of(System.Net.IPAddress.Parse(expected))), TestNode.Bytes(source));
    }

    [Fact]
    public void A_deprecated_address_serves_when_there_is_no_other()
    {
        AddressTable table = new();
        Add(table, "2001:db8::1", 64, 2, AddressState.Deprecated);
        Assert.False(table.SourceFor(TestNode.V6("2001:db8::2"), 2).IsUnspecified);
        Assert.True(table.SourceFor(TestNode.V4("10.0.0.1"), 2).IsUnspecified);
    }

    private static void Add(AddressTable table, string address, byte prefix, int link, AddressState state) => table.Add(new InterfaceAddress
    {
        Address = TestNode.Of(System.Net.IPAddress.Parse(address)),
        PrefixLength = prefix,
        InterfaceIndex = link,
        State = state,
        PreferredUntilNs = NetworkClock.Never,
        ValidUntilNs = NetworkClock.Never,
    });

    private static IpAddress Address(bool isV4, ulong high, ulong low) =>
        isV4 ? IpAddress.FromV4((uint)((high << 29) | low)) : IpAddress.FromV6((high << 61) | (low << 3), low);

    private static Route RouteOf(IpAddress address, byte prefixLength, uint metric, int link)
    {
        Route route = default;
        route.Destination = RoutingTable.NetworkOf(address, prefixLength);
        route.PrefixLength = prefixLength;
        route.Metric = metric;
        route.InterfaceIndex = link;
        route.ExpiresNs = NetworkClock.Never;
        return route;
    }

    private static bool IsSame(Route a, Route b) =>
        a.Destination.Equals(b.Destination) && a.PrefixLength == b.PrefixLength && a.Metric == b.Metric
        && a.InterfaceIndex == b.InterfaceIndex;

    private static bool Agrees(RoutingTable table, List<Route> routes, IpAddress target, int link)
    {
        List<Route> matching = [.. routes.Where(route => (link == 0 || route.InterfaceIndex == link) && Matches(route, target))];
        bool isFound = table.TryFind(target, link, out Route found);
        if (matching.Count == 0 || !isFound)
        {
            return matching.Count == 0 && !isFound;
        }

        Route expected = matching.OrderByDescending(route => route.PrefixLength).ThenBy(route => route.Metric).First();
        return IsSame(found, expected);
    }

    /// <summary>By numbers as long as an address.</summary>
    private static bool Matches(Route route, IpAddress target)
    {
        if (route.Destination.IsV4 != target.IsV4)
        {
            return false;
        }

        int bits = target.IsV4 ? 32 : 128;
        return Number(route.Destination) >> (bits - route.PrefixLength) == Number(target) >> (bits - route.PrefixLength);
    }

    private static BigInteger Number(IpAddress address) =>
        address.IsV4 ? address.V4 : new BigInteger(TestNode.Bytes(address), isUnsigned: true, isBigEndian: true);
}
