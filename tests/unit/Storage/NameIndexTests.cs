// The tables of large directories: they agree with a plain list, whatever comes and goes.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;
using Xunit;

namespace Lego.Tests.Storage;

public sealed unsafe class NameIndexTests : IDisposable
{
    private const ulong Pages = 2048;
    private const uint Directory = 7;

    private readonly void* _memory = NativeMemory.AlignedAlloc((nuint)(Pages * PageOperations.PageSize), PageOperations.PageSize);

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    [Fact]
    public void Names_of_one_hash_are_all_found_and_go_one_by_one()
    {
        FrameAllocator frames = new(_memory, Pages);
        NameIndex index = new(frames);
        Assert.True(index.Begin(Directory));
        Random random = new(1);
        List<(uint Hash, uint Block)> model = [];
        for (int step = 0; step < 20_000; step++)
        {
            if (model.Count == 0 || random.Next(3) != 0)
            {
                // Few hashes, near each other: probes run into each other.
                (uint Hash, uint Block) name = ((uint)random.Next(4000), (uint)random.Next(50));
                index.Add(Directory, name.Hash, name.Block);
                model.Add(name);
            }
            else
            {
                int at = random.Next(model.Count);
                index.Remove(Directory, model[at].Hash, model[at].Block);
                model.RemoveAt(at);
            }
        }

        ILookup<uint, uint> expected = model.ToLookup(name => name.Hash, name => name.Block);
        for (uint hash = 0; hash < 4000; hash++)
        {
            Assert.Equal(expected[hash].Order(), BlocksOf(index, Directory, hash).Order());
        }
    }

    [Fact]
    public void The_directory_used_longest_ago_makes_room_and_memory_comes_back()
    {
        FrameAllocator frames = new(_memory, Pages);
        ulong before = frames.FreePages;
        NameIndex index = new(frames);
        for (uint directory = 1; directory <= 4; directory++)
        {
            Assert.True(index.Begin(directory));
        }

        Assert.True(index.Knows(1));
        Assert.True(index.Begin(5));
        Assert.Equal([true, false, true, true, true], Enumerable.Range(1, 5).Select(directory => index.Knows((uint)directory)));
        for (uint directory = 1; directory <= 5; directory++)
        {
            index.Forget(directory);
        }

        Assert.Equal(before, frames.FreePages);
    }

    [Fact]
    public void Names_that_come_and_go_take_no_more_memory_than_those_that_stay()
    {
        FrameAllocator frames = new(_memory, Pages);
        NameIndex index = new(frames);
        Assert.True(index.Begin(Directory));
        ulong free = frames.FreePages;
        for (uint name = 0; name < 50_000; name++)
        {
            index.Add(Directory, name * 2_654_435_761, 1);
            if (name >= 500)
            {
                index.Remove(Directory, (name - 500) * 2_654_435_761, 1);
            }
        }

        Assert.Equal(free, frames.FreePages);
        Assert.All(Enumerable.Range(49_500, 500),
            name => Assert.Equal([1u], BlocksOf(index, Directory, (uint)name * 2_654_435_761)));
    }

    [Fact]
    public void A_directory_that_outgrows_the_memory_is_not_known_any_more()
    {
        FrameAllocator frames = new(_memory, 64);
        NameIndex index = new(frames);
        Assert.True(index.Begin(Directory));
        for (uint name = 0; name < 10_000; name++)
        {
            index.Add(Directory, name, 0);
        }

        Assert.False(index.Knows(Directory));
    }

    [Fact]
    public void Thousands_of_names_in_one_directory_come_are_found_and_go()
    {
        const int Count = 3000;
        using VolumeImage image = new("16M");
        using (StorageFixture storage = new(image))
        {
            Assert.Equal(Errno.None, storage.MakeNode("/d", FileMode.Directory | 0x1ED));
            for (int name = 0; name < Count; name++)
            {
                Assert.Equal(Errno.None, storage.MakeNode($"/d/name-{name}", FileMode.Regular | 0x1A4));
            }

            for (int name = 0; name < Count; name += 3)
            {
                Assert.Equal(Errno.None, storage.Unlink($"/d/name-{name}", PathFlags.None, out _));
            }

            Assert.Equal(Errno.None, storage.Rename("/d/name-1", "/d/name-2", PathFlags.None, out _));
            for (int name = 2; name < Count; name++)
            {
                Assert.Equal(name % 3 == 0 ? Errno.ENOENT : Errno.None, storage.Open($"/d/name-{name}", PathFlags.None, out _));
            }

            List<ListedName> names = [];
            Assert.Equal(Errno.None, storage.List("/d", names));
            Assert.Equal((Count * 2 / 3) - 1 + 2, names.Count);
        }

        image.AssertSound();
    }

    private static List<uint> BlocksOf(NameIndex index, uint directory, uint hash)
    {
        List<uint> blocks = [];
        NameIndex.Probe probe = default;
        while (index.TryNext(directory, hash, ref probe, out uint block))
        {
            blocks.Add(block);
        }

        return blocks;
    }
}
