// A ring region's header is taken only when everything in it fits.

using System;
using System.Runtime.InteropServices;
using Lego.Drivers;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Drivers;

public sealed unsafe class RingRegionHeaderTests
{
    private const ulong RegionBytes = 4 << 20;

    private readonly byte* _memory = (byte*)NativeMemory.AllocZeroed((nuint)RegionBytes);

    private RingRegionHeader Good() => new()
    {
        Magic = 0x474E_5252,
        Version = 1,
        NodeLow = 1,
        NodeHigh = 3,
        DoorbellSlotLow = 8,
        DoorbellSlotHigh = 9,
        RingAOffset = 4096,
        RingBOffset = 2 << 20,
        RingBytes = 1 << 20,
    };

    private Errno Read(RingRegionHeader header, out RingRegionHeader read)
    {
        *(RingRegionHeader*)_memory = header;
        return RingRegionHeader.TryRead(new SharedRegion(_memory, RegionBytes), out read);
    }

    [Fact]
    public void Fields_lie_where_the_rack_tool_writes_them()
    {
        byte[] bytes = Convert.FromHexString(
            "52524E4701000000" + "0100030008090000" + "0010000000000000" + "0000200000000000" + "0000100000000000");
        bytes.CopyTo(new Span<byte>(_memory, bytes.Length));
        Assert.Equal(Errno.None, RingRegionHeader.TryRead(new SharedRegion(_memory, RegionBytes), out RingRegionHeader header));
        Assert.Equal(Good(), header);
    }

    [Fact]
    public void Headers_that_do_not_add_up_are_refused()
    {
        Assert.Equal(Errno.None, Read(Good(), out _));
        Assert.Equal(Errno.EINVAL, Read(Good() with { Magic = 1 }, out _));
        Assert.Equal(Errno.EINVAL, Read(Good() with { Version = 2 }, out _));
        Assert.Equal(Errno.EINVAL, Read(Good() with { NodeLow = 3 }, out _));
        Assert.Equal(Errno.EINVAL, Read(Good() with { RingAOffset = 0 }, out _));
        Assert.Equal(Errno.EINVAL, Read(Good() with { RingAOffset = 4097 }, out _));
        Assert.Equal(Errno.EINVAL, Read(Good() with { RingBOffset = 8192 }, out _));
        Assert.Equal(Errno.EINVAL, Read(Good() with { RingBOffset = RegionBytes }, out _));
        Assert.Equal(Errno.EINVAL, Read(Good() with { RingBytes = 0 }, out _));
        Assert.Equal(Errno.EINVAL, Read(Good() with { RingBytes = ulong.MaxValue - 4095 }, out _));
        Assert.Equal(Errno.EINVAL, RingRegionHeader.TryRead(new SharedRegion(_memory, 16), out _));
    }
}
