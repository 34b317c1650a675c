// The disk's driver against a disk in memory that follows virtio 1.2, 5.2.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using Lego.Drivers;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Drivers;

public sealed unsafe class VirtioBlockTests : IDisposable
{
    private const ulong SegmentMax = 1UL << 2;
    private const ulong ReadOnlyFeature = 1UL << 5;
    private const ulong FlushFeature = 1UL << 9;
    private const int Sectors = 8192;
    private const int IoErrorSector = 4000;

    private readonly byte[] _contents = new byte[Sectors * 512];
    private readonly FrameAllocator _frames = TestFrames.Create();
    private readonly byte* _buffer;
    private FakeTransport _transport = null!;
    private int _flushes;
    private int _requests;

    public VirtioBlockTests()
    {
        _buffer = (byte*)_frames.AllocateContiguous(512);
    }

    public void Dispose() => Poller.Reset();

    private VirtioBlock Open(ulong features, int queueSize = 256, uint segments = 254)
    {
        byte[] configuration = new byte[64];
        BinaryPrimitives.WriteUInt64LittleEndian(configuration, Sectors);
        BinaryPrimitives.WriteUInt32LittleEndian(configuration.AsSpan(12), segments);
        _transport = new FakeTransport(features, configuration, queueSize);
        Poller.Reset();
        VirtioBlock disk = VirtioBlock.Open(_transport, _frames)!;
        Poller.Register(new DeviceSource(Work));
        return disk;
    }

    private bool Work()
    {
        DeviceQueue queue = _transport.Queues[0];
        bool any = false;
        while (queue.TryPop(out ushort head, out List<ChainPiece> chain))
        {
            any = true;
            _requests++;
            Span<byte> header = chain[0].Bytes;
            Assert.Equal(16, header.Length);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(header);
            long sector = BinaryPrimitives.ReadInt64LittleEndian(header[8..]);
            int offset = (int)sector * 512;
            uint written = 1;
            for (int piece = 1; piece < chain.Count - 1; piece++)
            {
                Span<byte> disk = _contents.AsSpan(offset, chain[piece].LengthBytes);
                Assert.Equal(type == 0, chain[piece].DeviceWrites);
                if (type == 0)
                {
                    disk.CopyTo(chain[piece].Bytes);
                    written += (uint)disk.Length;
                }
                else
                {
                    chain[piece].Bytes.CopyTo(disk);
                }

                offset += disk.Length;
            }

            _flushes += type == 4 ? 1 : 0;
            Assert.True(chain[^1].DeviceWrites && chain[^1].LengthBytes == 1);
            Assert.Equal(0, (offset - ((int)sector * 512)) % 512);
            chain[^1].Bytes[0] = (byte)(sector == IoErrorSector ? 1 : type is 0 or 1 or 4 ? 0 : 2);
            queue.Push(head, written);
        }

        return any;
    }

    [Theory]
    [InlineData(256, 254u, 0)]
    [InlineData(256, 1u, 0)]
    [InlineData(4, 254u, 512)]
    [InlineData(256, 254u, 100)]
    [InlineData(8, 3u, 1000)]
    public void What_is_written_is_read_back(int queueSize, uint segments, int misalignment)
    {
        VirtioBlock disk = Open(SegmentMax | FlushFeature | VirtioFeatures.EventIndex, queueSize, segments);
        Random random = new(1);
        byte[] model = new byte[_contents.Length];
        for (int round = 0; round < 200; round++)
        {
            int sectors = 1 + random.Next(400);
            int sector = random.Next(IoErrorSector - sectors - 1);
            Span<byte> buffer = new(_buffer + misalignment, sectors * 512);
            if (random.Next(2) == 0)
            {
                random.NextBytes(buffer);
                buffer.CopyTo(model.AsSpan(sector * 512));
                Assert.Equal(Errno.None, disk.Write((ulong)sector, _buffer + misalignment, (uint)buffer.Length));
            }
            else
            {
                Assert.Equal(Errno.None, disk.Read((ulong)sector, _buffer + misalignment, (uint)buffer.Length));
                Assert.True(buffer.SequenceEqual(model.AsSpan(sector * 512, buffer.Length)));
            }
        }

        Assert.True(model.AsSpan().SequenceEqual(_contents));
    }

    [Fact]
    public void A_contiguous_buffer_goes_in_one_request()
    {
        VirtioBlock disk = Open(0);
        Assert.Equal(Errno.None, disk.Read(0, _buffer, 1 << 20));
        Assert.Equal(1, _requests);
    }

    [Fact]
    public void Flush_reaches_the_device_when_it_has_a_cache()
    {
        Assert.Equal(Errno.None, Open(FlushFeature).Flush());
        Assert.Equal(1, _flushes);
        Assert.Equal(Errno.None, Open(0).Flush());
        Assert.Equal(1, _flushes);
    }

    [Fact]
    public void A_device_error_is_EIO_and_the_next_request_works()
    {
        VirtioBlock disk = Open(0);
        Assert.Equal(Errno.EIO, disk.Read(IoErrorSector, _buffer, 512));
        Assert.Equal(Errno.None, disk.Read(0, _buffer, 512));
    }

    [Fact]
    public void Bad_ranges_are_refused_before_the_device_sees_them()
    {
        VirtioBlock disk = Open(0);
        Assert.Equal(Errno.EINVAL, disk.Read(0, _buffer, 100));
        Assert.Equal(Errno.EINVAL, disk.Read(Sectors, _buffer, 512));
        Assert.Equal(Errno.EINVAL, disk.Write(ulong.MaxValue, _buffer, 1024));
        Assert.Equal(0, _requests);
    }

    [Fact]
    public void A_buffer_that_the_device_cannot_reach_is_a_broken_invariant()
    {
        VirtioBlock disk = Open(0);
        byte* onStack = stackalloc byte[512];
        Assert.Throws<PanicException>(() => disk.Read(0, onStack, 512));
        Assert.Equal(0, _requests);
    }

    [Fact]
    public void A_read_only_disk_refuses_writes()
    {
        VirtioBlock disk = Open(ReadOnlyFeature);
        Assert.True(disk.ReadOnly);
        Assert.Equal(Errno.EROFS, disk.Write(0, _buffer, 512));
        Assert.Equal(Errno.None, disk.Read(0, _buffer, 512));
    }

    [Fact]
    public void A_device_that_breaks_the_ring_ends_everything_with_EIO()
    {
        VirtioBlock disk = Open(0);
        Poller.Reset();
        Poller.Register(new VirtioBlockCompletions(disk));
        Poller.Register(new DeviceSource(() =>
        {
            _transport.Queues[0].Push(999, 1);
            return true;
        }));
        Assert.Equal(Errno.EIO, disk.Read(0, _buffer, 512));
        Assert.True(_transport.Resets > 0);
        Assert.Equal(Errno.EIO, disk.Write(0, _buffer, 512));
    }
}
