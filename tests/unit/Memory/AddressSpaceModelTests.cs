// Random mmap, munmap, mprotect, mremap, write-backs and forks against the page-by-page model: same maps, same errno, same contents.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Xunit;

namespace Lego.Tests.Memory;

public sealed unsafe class AddressSpaceModelTests
{
    private const ulong Page = PageOperations.PageSize;
    private const int Operations = 100_000;
    /// <summary>Fixed addresses are drawn from the top of the window, so that they meet.</summary>
    private const int BusyPages = 192;
    private const int MaxLengthPages = 20;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Random_operations_leave_the_maps_the_errors_and_the_contents_of_the_model(int seed)
    {
        using MemoryFixture fixture = new(64);
        ulong usedBefore = fixture.UsedFrames;
        Random random = new(seed);
        CachedFile*[] files = [null, fixture.Hold(fixture.Store.Add("/a", [1]), "/a"), fixture.Hold(fixture.Store.Add("/b", [2]), "/b")];
        AddressSpace* space = fixture.NewSpace(1);
        fixture.Spaces.ActivateRegions(space, new RegionDemand { Start = AddressLayout.MapBase & ~((1UL << 30) - 1), End = 1UL << 47 },
            MemoryFixture.Node);
        // Closes the window at its top: what the model does not know must not be grown into.
        MapWish top = default;
        top.Address = AddressLayout.MapBase;
        top.Length = Page;
        top.File = files[1];
        top.FileOffset = 1UL << 30;
        top.Flags = MapFlags.Private | MapFlags.Fixed;
        Assert.Equal(Errno.None, fixture.MapGranted(space, top, out _));
        VmaModel model = new();
        uint asid = 1;
        for (int step = 0; step < Operations; step++)
        {
            string what = Step(fixture, random, space, model, files, out Errno expected, out Errno actual, out ulong wanted, out ulong got);
            Assert.True(expected == actual && wanted == got, $"step {step} {what}: {expected} {wanted:x} expected, {actual} {got:x}");
            if (step % 64 == 0)
            {
                CompareMaps(space, model, step);
            }

            if (step % 1024 == 0)
            {
                CompareContents(fixture, space, model, step);
            }

            if (step % 4096 == 0)
            {
                Assert.Equal(Errno.None, fixture.Spaces.Fork(space, ++asid, out AddressSpace* child));
                WriteSomewhere(fixture, random, space, new VmaModelView(model).Copy());
                CompareContents(fixture, child, model, step);
                fixture.Spaces.Destroy(space);
                space = child;
                CompareContents(fixture, space, model, step);
            }
        }

        fixture.Spaces.Destroy(space);
        fixture.Files.Release(files[1]);
        fixture.Files.Release(files[2]);
        Assert.Equal(0UL, fixture.Pool.AnonymousFrames);
        // Each slab keeps one spare page.
        Assert.InRange(fixture.UsedFrames, usedBefore, usedBefore + 10);
    }

    private static string Step(MemoryFixture fixture, Random random, AddressSpace* space, VmaModel model, CachedFile*[] files,
        out Errno expected, out Errno actual, out ulong wanted, out ulong got)
    {
        wanted = 0;
        got = 0;
        ulong address = VmaModel.AddressOf((int)VmaModel.WindowPages - 1 - random.Next(BusyPages));
        ulong length = (ulong)random.Next(1, MaxLengthPages) * Page;
        length = Math.Min(length, AddressLayout.MapBase - address);
        if (random.Next(50) == 0)
        {
            address += 8;
        }

        if (random.Next(20) == 0)
        {
            length -= 100;
        }

        if (random.Next(100) == 0)
        {
            length = 0;
        }

        switch (random.Next(10))
        {
            case 0:
            case 1:
            case 2:
                MapFlags flags = random.Next(5) switch { 0 => MapFlags.Fixed, 1 => MapFlags.FixedNoReplace, _ => 0 };
                flags |= random.Next(12) switch { 0 => MapFlags.Shared, 1 => 0, _ => MapFlags.Private };
                bool hint = random.Next(2) == 0 || flags >= MapFlags.Fixed;
                MapWish wish = default;
                wish.Address = hint ? address : 0;
                wish.Length = length;
                wish.Protection = (Protection)random.Next(8);
                int file = Math.Max(0, random.Next(6) - 3);
                wish.File = files[file];
                wish.FileOffset = file == 0 ? 0 : ((ulong)random.Next(4) * Page) + (random.Next(30) == 0 ? 1UL : 0);
                wish.Kind = VmaKind.Anonymous;
                wish.Flags = flags;
                wish.Allowed = (Protection)random.Next(8);
                if (length != 0 && !hint && Crowded(model))
                {
                    goto case 3;
                }

                if (hint && (address & ~(Page - 1)) + ((length + Page - 1) & ~(Page - 1)) > AddressLayout.MapBase)
                {
                    goto case 3;
                }

                expected = model.Map(wish.Address, length, wish.Protection, wish.Allowed, flags, (uint)file, wish.FileOffset, out wanted);
                actual = fixture.MapGranted(space, wish, out got);
                got = actual == Errno.None ? got : 0;
                return $"map {wish.Address:x} {length:x} {flags} file {file}";
            case 3:
            case 4:
                expected = model.Unmap(address, length);
                actual = fixture.Spaces.Unmap(space, address, length);
                return $"unmap {address:x} {length:x}";
            case 5:
            case 6:
                Protection protection = (Protection)random.Next(8);
                expected = model.Protect(address, length, protection);
                actual = fixture.Spaces.Protect(space, address, length, protection);
                return $"protect {address:x} {length:x} {protection}";
            case 7:
                RemapFlags remapFlags = random.Next(6) switch
                {
                    0 => RemapFlags.None,
                    1 => RemapFlags.Fixed,
                    2 => RemapFlags.MayMove | RemapFlags.Fixed,
                    _ => RemapFlags.MayMove,
                };
                RemapRequest remap = default;
                remap.OldAddress = address;
                remap.OldLength = length;
                remap.NewLength = (ulong)random.Next(0, MaxLengthPages) * Page;
                remap.NewAddress = VmaModel.AddressOf((int)VmaModel.WindowPages - MaxLengthPages - random.Next(BusyPages));
                remap.Flags = (uint)remapFlags;
                bool sharedZero = length == 0 && model.Pages[VmaModel.IndexOf(address)].IsShared;
                if (Crowded(model) || sharedZero)
                {
                    goto case 3;
                }

                expected = model.Remap(address, length, remap.NewLength, remapFlags, remap.NewAddress, out wanted);
                actual = fixture.Spaces.Remap(space, remap, out got, out _);
                got = actual == Errno.None ? got : 0;
                return $"remap {address:x} {length:x} -> {remap.NewLength:x} {remapFlags} {remap.NewAddress:x}";
            default:
                expected = Errno.None;
                actual = WriteSomewhere(fixture, random, space, model.Pages);
                return "write";
        }
    }

    private static VmaKind KindOf(in ModelPage page) => page.IsShared
        ? page.File == 0 ? VmaKind.SharedAnonymous : VmaKind.SharedFile
        : page.File == 0 ? VmaKind.Anonymous : VmaKind.File;

    /// <summary>Random placement must not leave the window.</summary>
    private static bool Crowded(VmaModel model)
    {
        int mapped = 0;
        foreach (ModelPage page in model.Pages)
        {
            mapped += page.IsMapped ? 1 : 0;
        }

        return mapped > (int)VmaModel.WindowPages / 2;
    }

    private static Errno WriteSomewhere(MemoryFixture fixture, Random random, AddressSpace* space, ModelPage[] pages)
    {
        int index = (int)VmaModel.WindowPages - 1 - random.Next(BusyPages);
        if (!pages[index].IsMapped)
        {
            return Errno.None;
        }

        byte stamp = (byte)random.Next(1, 256);
        byte* page = (byte*)NativeMemory.AlignedAlloc(PageOperations.PageSize, 64);
        new Span<byte>(page, PageOperations.PageSize).Fill(stamp);
        Errno error = fixture.Map.Store(space, VmaModel.AddressOf(index), page);
        NativeMemory.AlignedFree(page);
        pages[index].Stamp = stamp;
        pages[index].HasFrame = true;
        return error;
    }

    private static void CompareMaps(AddressSpace* space, VmaModel model, int step)
    {
        byte[] buffer = new byte[SpaceRecords.MaxBytes];
        int bytes = SpaceRecords.Write(space, buffer, out uint vmas, out _);
        ReadOnlySpan<VmaRecord> records = MemoryMarshal.Cast<byte, VmaRecord>(buffer.AsSpan(0, (int)vmas * sizeof(VmaRecord)));
        List<VmaRecord> expected = [];
        for (int index = 0; index < (int)VmaModel.WindowPages; index++)
        {
            ModelPage page = model.Pages[index];
            if (!page.IsMapped)
            {
                continue;
            }

            bool continues = index > 0 && model.Pages[index - 1].IsMapped && VmaModel.Continues(model.Pages[index - 1], page);
            if (continues)
            {
                expected[^1] = expected[^1] with { End = VmaModel.AddressOf(index + 1) };
                continue;
            }

            expected.Add(new VmaRecord
            {
                Start = VmaModel.AddressOf(index),
                End = VmaModel.AddressOf(index + 1),
                Kind = KindOf(page),
                Protection = page.Protection,
                FileOffset = page.File == 0 ? 0 : page.FilePage * Page,
            });
        }

        Assert.Equal(expected.Count + 1, records.Length);
        for (int index = 0; index < expected.Count; index++)
        {
            Assert.True(expected[index].Equals(records[index]), $"step {step}: record {index} differs");
        }
    }

    private static void CompareContents(MemoryFixture fixture, AddressSpace* space, VmaModel model, int step)
    {
        for (int index = 0; index < (int)VmaModel.WindowPages; index++)
        {
            byte* frame = fixture.Map.Find(space, VmaModel.AddressOf(index));
            ModelPage page = model.Pages[index];
            Assert.True(page.HasFrame == (frame != null), $"step {step}: page {index} frame {frame != null}");
            if (frame != null)
            {
                bool same = frame[0] == page.Stamp && frame[PageOperations.PageSize - 1] == page.Stamp;
                Assert.True(same, $"step {step}: page {index} content");
            }
        }
    }

    /// <summary>A copy of the model's pages, for writes that the model must not see.</summary>
    private readonly struct VmaModelView(VmaModel model)
    {
        internal ModelPage[] Copy() => (ModelPage[])model.Pages.Clone();
    }
}
