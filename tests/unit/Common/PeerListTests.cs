using System.Collections.Generic;
using System.Text;
using Lego.Common;
using Lego.Fabric.Messages;
using Xunit;

namespace Lego.Tests.Common;

public sealed class PeerListTests
{
    [Fact]
    public void Pairs_come_in_order()
    {
        Assert.Equal(
            [(ComponentKind.Memory, 2), (ComponentKind.Storage, 3), (ComponentKind.Manager, 4)],
            Read("memory:2,storage:3,manager:4", out bool malformed));
        Assert.False(malformed);
        Assert.Equal(3, PeerList.First("memory:2,storage:3,storage:5"u8, ComponentKind.Storage));
        Assert.Equal(0, PeerList.First("memory:2"u8, ComponentKind.Manager));
    }

    [Theory]
    [InlineData("memory")]
    [InlineData("memory:")]
    [InlineData("memory:0")]
    [InlineData("memory:65536")]
    [InlineData("memory:2x")]
    [InlineData("toaster:2")]
    [InlineData(":2")]
    [InlineData(",memory:2")]
    public void Anything_else_ends_the_list_as_malformed(string text)
    {
        Assert.Empty(Read(text, out bool malformed));
        Assert.True(malformed);
    }

    private static List<(ComponentKind Kind, int Node)> Read(string text, out bool malformed)
    {
        List<(ComponentKind, int)> found = new();
        PeerList list = new(Encoding.ASCII.GetBytes(text));
        while (list.Next(out ComponentKind kind, out ushort node))
        {
            found.Add((kind, node));
        }

        malformed = list.Malformed;
        return found;
    }
}
