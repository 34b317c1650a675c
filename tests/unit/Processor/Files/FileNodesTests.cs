// Nodes of files: open, kept, and open again, whoever finds them.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class FileNodesTests
{
    private static readonly PlaceReply s_place = new() { Storage = 3 };

    private static FileNode* Open(FileNodes nodes, uint inode)
    {
        FileAttributes attributes = new() { Handle = new FileHandle { Inode = inode }, Mode = FileMode.Regular, Links = 1 };
        return nodes.Acquire(0, in s_place, in attributes, "/a"u8, nodes.Leases!.Clock.Now, isNew: false);
    }

    [Fact]
    public void A_kept_node_that_is_found_and_held_is_open_until_it_is_let_go()
    {
        using FileSystemFixture fixture = new();
        FileNodes nodes = fixture.Files.Nodes;
        FileNode* node = Open(nodes, 12);
        nodes.Release(node);
        Assert.Equal((0UL, 1UL), (nodes.Count, nodes.KeptCount));

        for (int round = 0; round < 2; round++)
        {
            using (NodeRef held = NodeRef.To(nodes.Find(s_place.Storage, in node->Handle)))
            {
                Assert.Equal((1UL, 0UL), (nodes.Count, nodes.KeptCount));
            }

            Assert.Equal((0UL, 1UL), (nodes.Count, nodes.KeptCount));
        }

        FileHandle handle = node->Handle;
        Assert.Equal(1u, nodes.TakeKept(s_place.Storage, in handle, out _).Entry.Holds);
        Assert.Equal((0UL, 0UL), (nodes.Count, nodes.KeptCount));
    }

    [Fact]
    public void A_kept_node_that_is_opened_again_has_a_second_hold()
    {
        using FileSystemFixture fixture = new();
        FileNodes nodes = fixture.Files.Nodes;
        nodes.Release(Open(nodes, 12));
        FileNode* node = Open(nodes, 12);
        Assert.Equal((1u, 2u), (node->References, node->Holds));
        Assert.Equal((1UL, 0UL), (nodes.Count, nodes.KeptCount));
    }
}
