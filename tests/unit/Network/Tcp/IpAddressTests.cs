// Addresses of both versions in one type, against .NET's IPAddress.

using System.Net;
using CsCheck;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Network;

public sealed class IpAddressTests
{
    [Theory]
    [InlineData("127.0.0.1", true, false)]
    [InlineData("10.0.2.15", false, false)]
    [InlineData("224.0.0.251", false, true)]
    [InlineData("::1", true, false)]
    [InlineData("fe80::1", false, false)]
    [InlineData("ff02::1", false, true)]
    public void Kinds_of_addresses_are_told_apart(string text, bool isLoopback, bool isMulticast)
    {
        IpAddress address = Of(IPAddress.Parse(text));
        Assert.Equal(isLoopback, address.IsLoopback);
        Assert.Equal(isMulticast, address.IsMulticast);
        Assert.Equal(text.Contains('.', System.StringComparison.Ordinal), address.IsV4);
        Assert.False(address.IsUnspecified);
    }

    [Fact]
    public void An_IPv4_address_is_its_mapped_IPv6_address()
    {
        Gen.UInt.Sample(number =>
        {
            IpAddress address = IpAddress.FromV4(number);
            byte[] mapped = new byte[16];
            address.WriteV6(mapped);
            IPAddress library = new(mapped);
            byte[] four = library.MapToIPv4().GetAddressBytes();
            return library.IsIPv4MappedToIPv6 && address.Equals(IpAddress.FromV6(mapped)) && address.Equals(IpAddress.FromV4(four))
                && address.V4 == number;
        });
    }

    [Theory]
    [InlineData("10.1.2.3", "10.0.0.0", 8, true)]
    [InlineData("10.1.2.3", "10.0.0.0", 16, false)]
    [InlineData("10.1.2.3", "0.0.0.0", 0, true)]
    [InlineData("10.1.2.3", "10.1.2.3", 32, true)]
    [InlineData("fd00::1", "fd00::", 64, true)]
    [InlineData("fd00::1", "fd00::", 128, false)]
    [InlineData("fd00::1", "::", 0, true)]
    [InlineData("10.1.2.3", "::", 0, false)]
    public void A_prefix_is_compared_bit_by_bit(string address, string prefix, int lengthBits, bool expected) =>
        Assert.Equal(expected, Of(IPAddress.Parse(address)).HasPrefix(Of(IPAddress.Parse(prefix)), lengthBits));

    private static IpAddress Of(IPAddress address)
    {
        byte[] bytes = address.GetAddressBytes();
        return bytes.Length == 4 ? IpAddress.FromV4(bytes) : IpAddress.FromV6(bytes);
    }
}
