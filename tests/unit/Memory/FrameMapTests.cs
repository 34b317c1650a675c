// The frame map against a dictionary: write-backs, removals and forks of many spaces; and what fork costs in blocks and frames.

using System;
using System.Collections.Generic;
using Lego.Kernel;
using Lego.Memory;
using Xunit;

namespace Lego.Tests.Memory;

public sealed unsafe class FrameMapTests
{
    private const ulong Page = PageOperations.PageSize;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Many_spaces_see_their_own_pages_whatever_is_forked_overwritten_and_removed(int seed)
    {
        using MemoryFixture fixture = new(64);
        Random random = new(seed);
        List<(nint Space, Dictionary<ulong, byte> Pages)> spaces = [((nint)fixture.NewSpace(1), [])];
        uint lastAsid = 1;
        byte* page = (byte*)fixture.Frames.Allocate();
        for (int step = 0; step < 30_000; step++)
        {
            int which = random.Next(spaces.Count);
            AddressSpace* space = (AddressSpace*)spaces[which].Space;
            Dictionary<ulong, byte> pages = spaces[which].Pages;
            ulong address = RandomAddress(random);
            switch (random.Next(100))
            {
                case < 80:
                    byte value = (byte)random.Next(256);
                    new Span<byte>(page, PageOperations.PageSize).Fill(value);
                    Assert.Equal(Errno.None, fixture.Map.Store(space, address, page));
                    pages[address] = value;
                    break;
                case < 95:
                    ulong end = address + ((ulong)random.Next(1, 300) * Page);
                    Assert.Equal(Errno.None, fixture.Map.Remove(space, address, end));
                    for (ulong gone = address; gone < end; gone += Page)
                    {
                        pages.Remove(gone);
                    }

                    break;
                case < 98 when spaces.Count < 8:
                    Assert.Equal(Errno.None, fixture.Spaces.Fork(space, ++lastAsid, out AddressSpace* child));
                    spaces.Add(((nint)child, new Dictionary<ulong, byte>(pages)));
                    break;
                case > 97 when spaces.Count > 1:
                    fixture.Spaces.Destroy(space);
                    spaces.RemoveAt(which);
                    break;
                default:
                    break;
            }

            if (step % 2000 == 0)
            {
                foreach ((nint other, Dictionary<ulong, byte> expected) in spaces)
                {
                    Compare(fixture, (AddressSpace*)other, expected);
                }
            }
        }

        foreach ((nint space, _) in spaces)
        {
            fixture.Spaces.Destroy((AddressSpace*)space);
        }

        fixture.ReapAll();
        Assert.Equal(0UL, fixture.Pool.AnonymousFrames);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_end_of_much_memory_frees_little_at_once_and_all_of_it_for_whoever_needs_frames(bool unmaps)
    {
        using MemoryFixture fixture = new(96);
        AddressSpace* space = fixture.NewSpace(1);
        byte* page = (byte*)fixture.Frames.Allocate();
        ulong stored = 0;
        while (fixture.Map.Store(space, 0x1000_0000 + (stored * Page), page) == Errno.None)
        {
            stored++;
        }

        AddressSpace* other = fixture.NewSpace(2);
        if (unmaps)
        {
            Assert.Equal(Errno.None, fixture.Map.Remove(space, 0x1000_0000, 0x1000_0000 + (stored * Page)));
            Assert.True(fixture.Map.Find(space, 0x1000_0000) == null);
            Assert.Equal(0UL, space->BlockCount);
        }
        else
        {
            fixture.Spaces.Destroy(space);
        }

        Assert.InRange(fixture.Pool.AnonymousFrames, stored - 2048, stored - 1);
        for (ulong index = 0; index < stored; index++)
        {
            Assert.Equal(Errno.None, fixture.Map.Store(other, 0x1000_0000 + (index * Page), page));
        }

        fixture.Spaces.Destroy(other);
        fixture.ReapAll();
        Assert.Equal(0UL, fixture.Pool.AnonymousFrames);
    }

    [Fact]
    public void A_fork_takes_no_frames_until_somebody_writes_and_then_only_for_the_pages_written()
    {
        using MemoryFixture fixture = new(96);
        AddressSpace* parent = fixture.NewSpace(1);
        byte* page = (byte*)fixture.Frames.Allocate();
        const ulong Pages = 16_384;
        for (ulong index = 0; index < Pages; index++)
        {
            Assert.Equal(Errno.None, fixture.Map.Store(parent, 0x1000_0000 + (index * Page), page));
        }

        ulong free = fixture.Frames.FreePages;
        Assert.Equal(Errno.None, fixture.Spaces.Fork(parent, 2, out AddressSpace* child));
        Assert.Equal(Pages, fixture.Pool.AnonymousFrames);
        Assert.InRange(fixture.Frames.FreePages, free - 16, free);
        for (ulong index = 0; index < 100; index++)
        {
            Assert.Equal(Errno.None, fixture.Map.Store(child, 0x1000_0000 + (index * 64 * Page), page));
        }

        Assert.Equal(Pages + 100, fixture.Pool.AnonymousFrames);
        fixture.Spaces.Destroy(parent);
        fixture.ReapAll();
        Assert.Equal(Pages, fixture.Pool.AnonymousFrames);
        fixture.Spaces.Destroy(child);
        fixture.ReapAll();
        Assert.Equal(0UL, fixture.Pool.AnonymousFrames);
    }

    [Theory]
    [InlineData(5)]
    [InlineData(64)]
    [InlineData(70)]
    public void Pages_move_up_and_down_whatever_blocks_of_64_source_and_target_have_in_common(int lengthPages)
    {
        const int BlockPages = 64;
        const int Window = 8 * BlockPages;
        using MemoryFixture fixture = new(64);
        AddressSpace* space = fixture.NewSpace(1);
        byte* page = (byte*)fixture.Frames.Allocate();
        for (int from = 3 * BlockPages; from < 4 * BlockPages; from++)
        {
            for (int to = from - lengthPages - BlockPages; to <= from + lengthPages + BlockPages; to += 3)
            {
                if (Math.Abs(to - from) < lengthPages)
                {
                    continue;
                }

                // Some pages of the source are missing, and its neighbours stay where they are.
                for (int index = from - 1; index <= from + lengthPages; index += (index % 5) + 1)
                {
                    bool isTarget = index >= to && index < to + lengthPages;
                    if (!isTarget)
                    {
                        new Span<byte>(page, PageOperations.PageSize).Fill((byte)index);
                        Assert.Equal(Errno.None, fixture.Map.Store(space, (ulong)index * Page, page));
                    }
                }

                byte[] expected = Contents(fixture, space, Window);
                Span<byte> source = expected.AsSpan(from, lengthPages);
                source.CopyTo(expected.AsSpan(to));
                source.Clear();
                Assert.Equal(Errno.None, fixture.Map.Move(space, (ulong)from * Page, (ulong)to * Page, (ulong)lengthPages * Page));
                Assert.Equal(expected, Contents(fixture, space, Window));
                Assert.Equal(Errno.None, fixture.Map.Remove(space, 0, Window * Page));
                Assert.Equal(0UL, space->BlockCount);
            }
        }

        Assert.Equal(0UL, fixture.Pool.AnonymousFrames);
    }

    /// <summary>The first byte of each page, 0 where there is none.</summary>
    private static byte[] Contents(MemoryFixture fixture, AddressSpace* space, int pages)
    {
        byte[] contents = new byte[pages];
        for (int index = 0; index < pages; index++)
        {
            byte* frame = fixture.Map.Find(space, (ulong)index * Page);
            contents[index] = frame == null ? (byte)0 : frame[0];
        }

        return contents;
    }

    private static ulong RandomAddress(Random random) => random.Next(4) == 0
        ? AddressLayout.MapBase - ((ulong)random.Next(1, 500) * 100 * Page)
        : 0x40_0000 + ((ulong)random.Next(2000) * Page);

    private static void Compare(MemoryFixture fixture, AddressSpace* space, Dictionary<ulong, byte> expected)
    {
        foreach ((ulong address, byte value) in expected)
        {
            byte* frame = fixture.Map.Find(space, address);
            Assert.True(frame != null && frame[0] == value && frame[4095] == value);
        }

        for (ulong address = 0x40_0000; address < 0x40_0000 + (2300 * Page); address += Page)
        {
            Assert.Equal(expected.ContainsKey(address), fixture.Map.Find(space, address) != null);
        }
    }
}
