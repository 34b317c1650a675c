// Neighbours as netlink tells them: the layouts are those of Linux's linux/neighbour.h.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using Lego.Kernel;
using Lego.Processor;
using Lego.Tests.Network.Ip;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class NeighbourMessagesTests
{
    private const int HeaderBytes = 16;
    private const int BodyBytes = 12;

    [Theory]
    [InlineData(0, new[] { "10.0.0.7", "10.0.0.8", "2001:db8::7" })]
    [InlineData(AddressFamily.Internet, new[] { "10.0.0.7", "10.0.0.8" })]
    [InlineData(AddressFamily.Internet6, new[] { "2001:db8::7" })]
    [InlineData(7, new string[0])]
    public void A_dump_tells_each_neighbour_of_the_family_once(int family, string[] expected)
    {
        using TestNode node = MakeNode();
        IEnumerable<string> told = Dump(node, family).Select(message => new IPAddress(Attribute(message, 1)!).ToString());
        Assert.Equal(expected, told.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_neighbour_is_told_with_its_state_and_its_hardware_address_if_that_is_known()
    {
        using TestNode node = MakeNode();
        byte[] known = Dump(node, AddressFamily.Internet).Single(message => Attribute(message, 1)![3] == 7);
        Assert.Equal(28, BinaryPrimitives.ReadUInt16LittleEndian(known.AsSpan(4)));
        Assert.Equal(node.Interface, BinaryPrimitives.ReadInt32LittleEndian(known.AsSpan(HeaderBytes + 4)));
        Assert.Equal((int)NeighbourState.Permanent, BinaryPrimitives.ReadUInt16LittleEndian(known.AsSpan(HeaderBytes + 8)));
        Assert.Equal([2, 0, 0, 0, 0, 9], Attribute(known, 2));
        Assert.Equal(16, Attribute(known, 3)!.Length);
    }

    [Fact]
    public void Who_does_not_answer_has_no_hardware_address()
    {
        using TestNode node = MakeNode();
        node.Stack.Neighbours.TryResolve(
            new TestNode.NoQuestions(), node.Interface, TestNode.V4("10.0.0.9"), default, out _, out Neighbour* entry, out _);
        Assert.True(entry != null);
        byte[] message = Dump(node, AddressFamily.Internet).Single(message => Attribute(message, 1)![3] == 9);
        Assert.Equal((int)NeighbourState.Incomplete, BinaryPrimitives.ReadUInt16LittleEndian(message.AsSpan(HeaderBytes + 8)));
        Assert.Null(Attribute(message, 2));
        Assert.Equal(1U, BinaryPrimitives.ReadUInt32LittleEndian(Attribute(message, 4)));
    }

    [Fact]
    public void A_question_for_proxies_is_known_by_its_flags()
    {
        byte[] body = new byte[BodyBytes];
        Assert.False(NeighbourMessages.IsOfProxies(body));
        body[10] = 8;
        Assert.True(NeighbourMessages.IsOfProxies(body));
        Assert.False(NeighbourMessages.IsOfProxies(body.AsSpan(0, BodyBytes - 1)));
    }

    private static TestNode MakeNode()
    {
        TestNode node = new(1);
        node.Knows(IPAddress.Parse("10.0.0.7"), 0x0200_0000_0009);
        node.Knows(IPAddress.Parse("10.0.0.8"), 0x0200_0000_000A);
        node.Knows(IPAddress.Parse("2001:db8::7"), 0x0200_0000_000B);
        return node;
    }

    /// <summary>The messages, written into datagrams that hold one each.</summary>
    private static List<byte[]> Dump(TestNode node, int family)
    {
        List<byte[]> messages = [];
        byte[] room = new byte[128];
        int count = RouteMessages.CountOf(node.Stack, RouteMessages.GetNeighbour);
        for (int entry = 0; entry < count; entry++)
        {
            NetlinkWriter writer = new(room);
            Assert.True(RouteMessages.TryWrite(node.Stack, RouteMessages.GetNeighbour, entry, family, 0, default, ref writer));
            if (writer.Length > 0)
            {
                messages.Add(room[..writer.Length]);
            }
        }

        return messages;
    }

    private static byte[]? Attribute(byte[] message, ushort type)
    {
        for (int at = HeaderBytes + BodyBytes; at < message.Length;)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(message.AsSpan(at));
            if (BinaryPrimitives.ReadUInt16LittleEndian(message.AsSpan(at + 2)) == type)
            {
                return message[(at + 4)..(at + length)];
            }

            at += (length + 3) & ~3;
        }

        return null;
    }
}
