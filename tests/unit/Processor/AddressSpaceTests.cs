using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class AddressSpaceTests : IDisposable
{
    private const ushort Home = 9;

    private readonly HostFrames _frames = new(megabytes: 4);

    public void Dispose() => _frames.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(127)]
    [InlineData(128)]
    [InlineData(129)]
    [InlineData(1500)]
    public void Look_ups_agree_with_a_linear_search(int count)
    {
        Random random = new(count);
        List<VmaRecord> ranges = [];
        ulong at = 0x10000;
        for (int index = 0; index < count; index++)
        {
            at += (ulong)random.Next(0, 3) * 4096;
            ulong end = at + ((ulong)random.Next(1, 5) * 4096);
            ranges.Add(new VmaRecord { Start = at, End = end, Kind = VmaKind.Anonymous, Protection = Protection.Read });
            at = end;
        }

        AddressSpace space = new() { Home = Home };
        Assert.Equal(Errno.None, Apply(&space, ranges, []));
        for (int probe = 0; probe < 4000; probe++)
        {
            ulong address = (ulong)random.NextInt64(0, (long)at + 8192);
            VmaRecord? expected = ranges.Where(item => item.Start <= address && address < item.End).Cast<VmaRecord?>().FirstOrDefault();
            bool found = space.TryFindRange(address, out VmaRecord range);
            Assert.Equal(expected != null, found);
            Assert.True(!found || range.Start == expected!.Value.Start);
        }

        Assert.Equal(ranges.Aggregate(0UL, (sum, item) => sum + item.End - item.Start), space.MappedBytes);
    }

    [Fact]
    public void Names_that_come_round_pass_by_the_spaces_that_still_have_them()
    {
        AddressSpace older = new() { Asid = (3u << 24) | 1 };
        AddressSpace newer = new() { Asid = 3u << 24, Next = &older };
        uint last = (1u << 24) - 2;
        Assert.Equal((3u << 24) | 0xFF_FFFF, Spaces.NextName(3, ref last, &newer));
        Assert.Equal((3u << 24) | 2, Spaces.NextName(3, ref last, &newer));
    }

    [Fact]
    public void Owners_are_those_of_the_vregion_and_the_home_elsewhere()
    {
        AddressSpace space = new() { Home = Home };
        RegionRecord[] regions =
        [
            new() { Start = 0x40000000, Length = 0x40000000, Owner = 2 },
            new() { Start = 0x80000000, Length = 0x40000000, Owner = 3 },
            new() { Start = 0x100000000, Length = 0x40000000, Owner = 4 },
        ];
        Assert.Equal(Errno.None, Apply(&space, [], regions));
        Assert.Equal(Home, space.OwnerOf(0x3FFFFFFF));
        Assert.Equal(2, space.OwnerOf(0x40000000));
        Assert.Equal(2, space.OwnerOf(0x7FFFFFFF));
        Assert.Equal(3, space.OwnerOf(0x80000000));
        Assert.Equal(Home, space.OwnerOf(0xC0000000));
        Assert.Equal(4, space.OwnerOf(0x13FFFFFFF));
        Assert.Equal(Home, space.OwnerOf(0x140000000));
    }

    [Fact]
    public void A_reply_that_makes_no_sense_is_refused_and_changes_nothing()
    {
        AddressSpace space = new() { Home = Home };
        VmaRecord good = new() { Start = 0x1000, End = 0x2000, Protection = Protection.Read };
        Assert.Equal(Errno.None, Apply(&space, [good], []));
        VmaRecord overlapping = new() { Start = 0x1000, End = 0x3000 };
        VmaRecord empty = new() { Start = 0x5000, End = 0x5000 };
        VmaRecord kernel = new() { Start = 0x5000, End = 0xFFFF_8000_0000_0000 };
        Assert.Equal(Errno.EPROTO, Apply(&space, [good, overlapping], []));
        Assert.Equal(Errno.EPROTO, Apply(&space, [empty], []));
        Assert.Equal(Errno.EPROTO, Apply(&space, [kernel], []));
        Assert.Equal(Errno.EPROTO, space.Apply(_frames.Allocator, 1000, 0, new byte[100]));
        Assert.Equal(Errno.EPROTO, space.Apply(_frames.Allocator, uint.MaxValue, uint.MaxValue, new byte[100]));
        Assert.True(space.TryFindRange(0x1FFF, out _));
        Assert.False(space.TryFindRange(0x2000, out _));
    }

    [Fact]
    public void Clearing_a_table_gives_its_pages_back()
    {
        ulong before = _frames.Allocator.FreePages;
        RecordTable<VmaRecord> table = default;
        VmaRecord[] records = [.. Enumerable.Range(1, 1000)
            .Select(index => new VmaRecord { Start = (ulong)index << 12, End = (ulong)(index + 1) << 12 })];
        Assert.Equal(Errno.None, table.Replace(_frames.Allocator, records));
        table.Clear(_frames.Allocator);
        Assert.Equal(before, _frames.Allocator.FreePages);
        Assert.Equal(Errno.ENOMEM, table.Replace(_frames.Allocator, new VmaRecord[RecordTable<VmaRecord>.MaxRecords + 1]));
    }

    private Errno Apply(AddressSpace* space, List<VmaRecord> ranges, RegionRecord[] regions)
    {
        byte[] records = [.. MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(ranges)), .. MemoryMarshal.AsBytes(regions.AsSpan())];
        return space->Apply(_frames.Allocator, (uint)ranges.Count, (uint)regions.Length, records);
    }
}
