// Addresses of sockets as programs give them, and the messages of netlink: the layouts are those of Linux's headers.

using System;
using System.Buffers.Binary;
using System.Net;
using Lego.Kernel;
using Lego.Processor;
using Xunit;
using SocketAddress = Lego.Kernel.SocketAddress;

namespace Lego.Tests.Processor.Files;

public sealed class SocketNameTests
{
    [Theory]
    [InlineData(AddressFamily.Internet, "192.0.2.7", 16)]
    [InlineData(AddressFamily.Internet6, "2001:db8::7", 28)]
    [InlineData(AddressFamily.Internet6, "::ffff:192.0.2.7", 28)]
    public void An_address_is_shown_as_it_was_given(int family, string text, int length)
    {
        SocketName name = NameOf(family, IPAddress.Parse(text), 8080, length);
        Assert.Equal(Errno.None, InternetName.Read(in name, family, allowsV4: false, out SocketAddress address));
        Assert.Equal(8080, address.Port);
        SocketName shown = InternetName.Write(in address, family);
        Assert.Equal(name.Bytes.ToArray(), shown.Bytes.ToArray());
    }

    [Theory]
    [InlineData(AddressFamily.Internet, AddressFamily.Internet, 15, Errno.EINVAL)]
    [InlineData(AddressFamily.Internet6, AddressFamily.Internet6, 23, Errno.EINVAL)]
    [InlineData(AddressFamily.Internet, AddressFamily.Internet6, 28, Errno.EAFNOSUPPORT)]
    [InlineData(AddressFamily.Internet6, AddressFamily.Internet, 28, Errno.EAFNOSUPPORT)]
    [InlineData(AddressFamily.Internet, AddressFamily.Unspecified, 16, Errno.EAFNOSUPPORT)]
    public void What_is_no_address_of_the_family_is_refused(int domain, int family, int length, Errno expected)
    {
        SocketName name = NameOf(family, IPAddress.Parse("192.0.2.7"), 1, length);
        Assert.Equal(expected, InternetName.Read(in name, domain, allowsV4: false, out _));
    }

    [Fact]
    public void A_message_that_does_not_fit_is_taken_back_as_a_whole()
    {
        byte[] room = new byte[64];
        NetlinkWriter writer = new(room);
        NetlinkHeader header = new() { Type = 16, Sequence = 7 };
        uint body = 1;
        writer.Begin(in header, in body);
        writer.Add(3, "abcde"u8);
        Assert.True(writer.TryEnd());
        const int Length = 16 + 4 + 12;
        Assert.Equal(Length, writer.Length);
        Assert.Equal((uint)Length, BinaryPrimitives.ReadUInt32LittleEndian(room));
        writer.Begin(in header, in body);
        writer.Add(3, new byte[32]);
        Assert.False(writer.TryEnd());
        Assert.Equal(Length, writer.Length);
    }

    private static SocketName NameOf(int family, IPAddress address, ushort port, int length)
    {
        SocketName name = default;
        name.Length = length;
        name.Family = (ushort)family;
        BinaryPrimitives.WriteUInt16BigEndian(name.Room[2..], port);
        address.GetAddressBytes().CopyTo(name.Room[(family == AddressFamily.Internet6 ? 8 : 4)..]);
        return name;
    }
}
