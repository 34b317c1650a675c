// Structures that programs see, against the numbers of x86-64 Linux's own headers (sizeof and offsetof, gcc).

using System.Runtime.InteropServices;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class LayoutTests
{
    [Fact]
    public void Structures_have_the_sizes_of_the_kernel_abi()
    {
        Assert.Equal(144, sizeof(StatusRecord));
        Assert.Equal(256, sizeof(ExtendedStatusRecord));
        Assert.Equal(120, sizeof(VolumeStatusRecord));
        Assert.Equal(112, sizeof(SystemInformationRecord));
        Assert.Equal(144, sizeof(ResourceUsage));
        Assert.Equal(36, sizeof(TerminalModes));
        Assert.Equal(8, sizeof(WindowSize));
        Assert.Equal(16, sizeof(TimeSpecification));
        Assert.Equal(16, sizeof(IoSegment));
        Assert.Equal(16, sizeof(ExtendedTime));
    }

    [Theory]
    [InlineData(nameof(StatusRecord.Inode), 8)]
    [InlineData(nameof(StatusRecord.Links), 16)]
    [InlineData(nameof(StatusRecord.Mode), 24)]
    [InlineData(nameof(StatusRecord.UserId), 28)]
    [InlineData(nameof(StatusRecord.GroupId), 32)]
    [InlineData(nameof(StatusRecord.SpecialDevice), 40)]
    [InlineData(nameof(StatusRecord.Size), 48)]
    [InlineData(nameof(StatusRecord.BlockSize), 56)]
    [InlineData(nameof(StatusRecord.Blocks), 64)]
    [InlineData(nameof(StatusRecord.AccessTime), 72)]
    [InlineData(nameof(StatusRecord.ModifyTime), 88)]
    [InlineData(nameof(StatusRecord.ChangeTime), 104)]
    public void Stat_has_its_fields_where_linux_has_them(string field, int offset) =>
        Assert.Equal(offset, (int)Marshal.OffsetOf<StatusRecord>(field));

    [Theory]
    [InlineData(nameof(ExtendedStatusRecord.Links), 16)]
    [InlineData(nameof(ExtendedStatusRecord.Mode), 28)]
    [InlineData(nameof(ExtendedStatusRecord.Inode), 32)]
    [InlineData(nameof(ExtendedStatusRecord.Size), 40)]
    [InlineData(nameof(ExtendedStatusRecord.Blocks), 48)]
    [InlineData(nameof(ExtendedStatusRecord.AccessTime), 64)]
    [InlineData(nameof(ExtendedStatusRecord.BirthTime), 80)]
    [InlineData(nameof(ExtendedStatusRecord.ChangeTime), 96)]
    [InlineData(nameof(ExtendedStatusRecord.ModifyTime), 112)]
    [InlineData(nameof(ExtendedStatusRecord.SpecialDeviceMajor), 128)]
    [InlineData(nameof(ExtendedStatusRecord.DeviceMajor), 136)]
    public void Statx_has_its_fields_where_linux_has_them(string field, int offset) =>
        Assert.Equal(offset, (int)Marshal.OffsetOf<ExtendedStatusRecord>(field));

    [Theory]
    [InlineData(nameof(VolumeStatusRecord.Blocks), 16)]
    [InlineData(nameof(VolumeStatusRecord.Files), 40)]
    [InlineData(nameof(VolumeStatusRecord.NameLength), 64)]
    [InlineData(nameof(VolumeStatusRecord.FragmentSize), 72)]
    [InlineData(nameof(VolumeStatusRecord.Flags), 80)]
    public void Statfs_has_its_fields_where_linux_has_them(string field, int offset) =>
        Assert.Equal(offset, (int)Marshal.OffsetOf<VolumeStatusRecord>(field));

    [Theory]
    [InlineData(nameof(SystemInformationRecord.TotalMemory), 32)]
    [InlineData(nameof(SystemInformationRecord.Processes), 80)]
    [InlineData(nameof(SystemInformationRecord.MemoryUnitBytes), 104)]
    public void Sysinfo_has_its_fields_where_linux_has_them(string field, int offset) =>
        Assert.Equal(offset, (int)Marshal.OffsetOf<SystemInformationRecord>(field));
}
