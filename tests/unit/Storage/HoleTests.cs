// Holes of files: where data are, and blocks of zeros that become holes. What is read stays the same, what is counted is what there is, and
// e2fsck finds the trees sound, of any depth.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Xunit;
using FileAttributes = Lego.Fabric.Messages.FileAttributes;

namespace Lego.Tests.Storage;

public sealed class HoleTests
{
    private const int BlockBytes = 1024;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Blocks_of_zeros_become_holes_and_every_other_byte_stays(int seed)
    {
        const int Blocks = 3000;
        Random random = new(seed);
        using VolumeImage image = new("32M", $"-b {BlockBytes}");
        using StorageFixture storage = new(image);
        Assert.Equal(Errno.None, storage.Open("/f", PathFlags.Create, out FileAttributes file));
        byte[] model = new byte[Blocks * BlockBytes];
        for (int step = 0; step < 400; step++)
        {
            // Many short runs first, so that the tree gets nodes; then longer ones that empty them.
            int length = random.Next(1, step < 250 ? 3 * BlockBytes : FileRequest.MaxTransfer);
            int offset = random.Next(model.Length - length);
            byte[] data = new byte[length];
            bool isZero = step >= 150 && random.Next(3) != 0;
            if (!isZero)
            {
                random.NextBytes(data);
            }

            data.CopyTo(model, offset);
            Assert.Equal(Errno.None, storage.Write("", file.Handle, (ulong)offset, data, out _));
            if (isZero)
            {
                Assert.Equal(Errno.None, storage.DigHoles(file.Handle, (ulong)offset, (uint)length));
            }
        }

        Assert.Equal(Errno.None, storage.DigHoles(file.Handle, 0, (uint)model.Length));
        byte[] read = storage.ReadAll("/f");
        Assert.Equal(model[..read.Length], read);
        Assert.All(model[read.Length..], value => Assert.Equal(0, value));
        Assert.Equal(RunsOf(model, read.Length), Runs(storage, file.Handle));
        image.AssertSound();

        Assert.Equal(Errno.None, storage.Write("", file.Handle, 0, new byte[1], out _));
        Array.Clear(model);
        for (int offset = 0; offset < read.Length; offset += FileRequest.MaxTransfer)
        {
            int length = Math.Min(FileRequest.MaxTransfer, read.Length - offset);
            Assert.Equal(Errno.None, storage.Write("", file.Handle, (ulong)offset, new byte[length], out _));
        }

        Assert.Equal(Errno.None, storage.DigHoles(file.Handle, 0, (uint)model.Length));
        Assert.Equal(Errno.None, storage.Status("", file.Handle, out FileAttributes attributes));
        Assert.Equal((0ul, (ulong)read.Length), (attributes.Blocks, attributes.Size));
        Assert.Empty(Runs(storage, file.Handle));
        image.AssertSound();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Space_that_nobody_has_written_reads_as_zeros_and_is_no_data(int seed)
    {
        const int Blocks = 600;
        Random random = new(seed);
        using VolumeImage image = new("32M", $"-b {BlockBytes}");
        using StorageFixture storage = new(image);
        Assert.Equal(Errno.None, storage.Open("/f", PathFlags.Create, out FileAttributes file));
        byte[] model = new byte[Blocks * BlockBytes];
        Assert.Equal(Errno.None, storage.Truncate("", file.Handle, (ulong)model.Length, out _));
        HashSet<int> taken = [];
        for (int step = 0; step < 200; step++)
        {
            int length = random.Next(1, 20 * BlockBytes);
            int offset = random.Next(model.Length - length);
            if (random.Next(3) == 0)
            {
                byte[] data = new byte[length];
                random.NextBytes(data);
                data.CopyTo(model, offset);
                Assert.Equal(Errno.None, storage.Write("", file.Handle, (ulong)offset, data, out _));
            }
            else
            {
                Assert.Equal(Errno.None, storage.Allocate(file.Handle, (ulong)offset, (uint)length));
            }

            taken.UnionWith(Enumerable.Range(offset / BlockBytes, ((offset + length - 1) / BlockBytes) - (offset / BlockBytes) + 1));
        }

        Assert.Equal(model, storage.ReadAll("/f"));
        Assert.Equal(RunsOf(model, model.Length), Runs(storage, file.Handle));
        Assert.Equal(Errno.None, storage.Status("", file.Handle, out FileAttributes attributes));
        Assert.True(attributes.Blocks >= (ulong)taken.Count * (BlockBytes / 512));
        image.AssertSound();

        Assert.Equal(Errno.None, storage.Allocate(file.Handle, (ulong)model.Length, 100 * BlockBytes));
        image.AssertSound();
        Assert.Equal(Errno.None, storage.Truncate("", file.Handle, 0, out attributes));
        Assert.Equal(0ul, attributes.Blocks);
        Assert.Equal(Errno.ENOSPC, storage.Allocate(file.Handle, 0, 64 * 1024 * 1024));
        Assert.Equal(Errno.None, storage.Truncate("", file.Handle, 0, out attributes));
        Assert.Equal((0ul, 0ul), (attributes.Blocks, attributes.Size));
        image.AssertSound();
    }

    [Fact]
    public void A_block_that_has_anything_in_it_stays()
    {
        using VolumeImage image = new("16M", $"-b {BlockBytes}");
        using StorageFixture storage = new(image);
        Assert.Equal(Errno.None, storage.Open("/f", PathFlags.Create, out FileAttributes file));
        byte[] data = new byte[4 * BlockBytes];
        data[(2 * BlockBytes) - 1] = 1;
        Assert.Equal(Errno.None, storage.Write("", file.Handle, 0, data, out _));
        // Of the last block only a part is in the range, of the first one as well.
        Assert.Equal(Errno.None, storage.DigHoles(file.Handle, 1, (4 * BlockBytes) - 2));
        Assert.Equal([(0, 2 * BlockBytes), (3 * BlockBytes, 4 * BlockBytes)], Runs(storage, file.Handle));
        Assert.Equal(data, storage.ReadAll("/f"));
        image.AssertSound();
    }

    private static List<(int Start, int End)> Runs(StorageFixture storage, FileHandle handle)
    {
        List<(int Start, int End)> runs = [];
        ulong at = 0;
        while (storage.FindData(handle, at, out DataRun run) == Errno.None && run.Start < run.End)
        {
            runs.Add(((int)run.Start, (int)run.End));
            at = run.End;
        }

        return runs;
    }

    /// <summary>Runs of blocks that have anything in them; the last one ends with the file.</summary>
    private static List<(int Start, int End)> RunsOf(byte[] model, int size)
    {
        List<(int Start, int End)> runs = [];
        for (int block = 0; block * BlockBytes < size; block++)
        {
            int start = block * BlockBytes;
            int end = Math.Min(start + BlockBytes, size);
            if (model[start..end].All(value => value == 0))
            {
                continue;
            }

            if (runs.Count != 0 && runs[^1].End == start)
            {
                runs[^1] = (runs[^1].Start, end);
            }
            else
            {
                runs.Add((start, end));
            }
        }

        return runs;
    }
}
