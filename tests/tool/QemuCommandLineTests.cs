// Command lines, boot lines, ring regions and what the ends of machines mean.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace Lego.Tool.Tests;

public class QemuCommandLineTests
{
    private static readonly RackDescription s_rack = RackDescription.Default;

    private static MachineResources Resources(params RingEnd[] rings) => new()
    {
        ImagePath = "/images/k.elf",
        SerialLogPath = "/racks/a,b/p0.log",
        MonitorPath = "/racks/p0.qmp",
        ControlDescriptor = 7,
        Rings = rings,
    };

    [Theory]
    [InlineData(1, "1,maxcpus=2")]
    [InlineData(2, "2,maxcpus=2")]
    [InlineData(4, "4,maxcpus=4")]
    public void A_machine_could_have_a_second_CPU_so_that_its_fences_are_fences(int cpus, string processors)
    {
        string[] line = QemuCommandLine.Common("p0", Accelerator.Tcg, cpus, VectorRegisters.Avx, 64 * ByteSize.MiB, runsPrograms: true);
        Assert.Equal(processors, line[Array.IndexOf(line, "-smp") + 1]);
    }

    [Fact]
    public void The_boot_line_names_the_component_its_link_its_peers_and_its_excache()
    {
        ComponentDescription processor = s_rack.Components[0] with
        {
            Ways = 8,
            Policy = ExCachePolicy.Lru,
            BootArguments = ["piggyback=off"],
        };
        Assert.Equal(
            "component=processor name=p0 node=1 link=ring peers=memory:2,storage:3,manager:4 excache=16M ways=8 policy=lru "
                + "address=10.0.2.15/24,10.0.2.2 piggyback=off",
            QemuCommandLine.BootLine(s_rack, processor));
        Assert.Equal(
            "component=memory name=m0 node=2 link=ring peers=processor:1,storage:3,manager:4",
            QemuCommandLine.BootLine(s_rack, s_rack.Components[1]));
    }

    [Fact]
    public void The_solo_boot_line_has_no_peers_and_says_how_much_memory_its_home_manages()
    {
        RackDescription solo = s_rack.ToSolo();
        Assert.Equal("component=solo name=x0 node=1 link=local excache=16M memory=1G address=10.0.2.15/24,10.0.2.2",
            QemuCommandLine.BootLine(solo, solo.Components[0]));
    }

    [Fact]
    public void Each_device_has_its_fixed_slot_and_commas_in_paths_are_doubled()
    {
        MachineResources resources = Resources(
            new RingEnd(s_rack.Components[1], "/dev/shm/r12", 8), new RingEnd(s_rack.Components[2], "/dev/shm/r13", 9)) with
        {
            VolumePath = "/v/a.img",
        };
        List<string> line = QemuCommandLine.Build(s_rack, s_rack.Components[0], resources);
        Assert.Contains("file:/racks/a,,b/p0.log", line);
        Assert.Contains("socket,id=control,fd=7", line);
        Assert.Contains("virtio-blk-pci,disable-legacy=on,addr=4,drive=volume,werror=report,rerror=report", line);
        Assert.Contains("ivshmem-plain,memdev=region2,addr=8", line);
        Assert.Contains("pci-serial,chardev=doorbell2,addr=9", line);
        Assert.Contains("ivshmem-plain,memdev=region3,addr=a", line);
        Assert.Contains("pci-serial,chardev=doorbell3,addr=b", line);
        Assert.Contains("socket,id=doorbell3,fd=9", line);
        Assert.Equal("64M", line[line.IndexOf("-m") + 1]);
        Assert.DoesNotContain(line, w => w.Contains("netdev=segment"));
    }

    [Fact]
    public void An_ethernet_machine_has_a_jumbo_device_with_the_node_in_its_address()
    {
        List<string> line = QemuCommandLine.Build(
            s_rack with { Link = LinkKind.Ethernet }, s_rack.Components[3],
            Resources() with { NetworkBackend = "dgram,local.type=unix,local.path=/rack/nic4" });
        Assert.Contains("dgram,local.type=unix,local.path=/rack/nic4,id=segment", line);
        Assert.Contains(line, w => w.StartsWith("virtio-net-pci,") && w.Contains("mac=52:54:00:4c:00:04") && w.Contains("host_mtu=9000"));
    }

    [Theory]
    [InlineData(Accelerator.Tcg, "-accel tcg,tb-size=128 -m")]
    [InlineData(Accelerator.Kvm, "-accel kvm -m")]
    [InlineData(Accelerator.Count, "-accel tcg,thread=single,tb-size=128 -icount shift=0,sleep=off -m")]
    public void The_accelerator_decides_what_executes_code_and_what_the_clock_counts(Accelerator accelerator, string words)
    {
        List<string> line = QemuCommandLine.Build(s_rack, s_rack.Components[0], Resources() with { Accelerator = accelerator });
        Assert.Contains(words, string.Join(' ', line));
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("/usr/share/qemu/qboot.rom", true)]
    public void A_machine_has_the_firmware_that_was_found_or_the_one_of_QEMU(string? path, bool isNamed)
    {
        List<string> line = QemuCommandLine.Build(s_rack, s_rack.Components[0], Resources() with { FirmwarePath = path });
        Assert.Equal(isNamed, line.Contains("-bios"));
        Assert.Equal(isNamed, line.Contains("/usr/share/qemu/qboot.rom"));
    }

    [Fact]
    public void A_ring_region_begins_with_the_header_that_both_ends_read()
    {
        ReadOnlySpan<byte> header = RingRegion.Header(2, 4, 13, 11);
        Assert.True(header.StartsWith("RRNG"u8));
        Assert.Equal(1u, BinaryPrimitives.ReadUInt32LittleEndian(header[4..]));
        Assert.Equal((2, 4), (BinaryPrimitives.ReadUInt16LittleEndian(header[8..]), BinaryPrimitives.ReadUInt16LittleEndian(header[10..])));
        Assert.Equal((13, 11), (header[12], header[13]));
        ulong first = BinaryPrimitives.ReadUInt64LittleEndian(header[16..]);
        ulong second = BinaryPrimitives.ReadUInt64LittleEndian(header[24..]);
        ulong bytes = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
        Assert.Equal(first + bytes, second);
        Assert.True(second + bytes <= RingRegion.FileBytes);
    }

    [Theory]
    [InlineData(137, "", "", "m0 (memory) was killed")]
    [InlineData(139, "", "", "m0 (memory) was killed by signal 11")]
    [InlineData(65, "[0.1] m0 info: up\nPANIC Slab.Free: twice\nPANIC   at x\n", "", "m0 (memory) panicked: Slab.Free: twice")]
    [InlineData(65, "", "", "m0 (memory) panicked without a reason")]
    [InlineData(33, "", "", "m0 (memory) shut itself down")]
    [InlineData(35, "[1.2] m0 error: data loss: up to 4096 bytes\n[1.3] m0 info: x\n", "",
        "m0 (memory) could not write everything: up to 4096 bytes")]
    [InlineData(57, "[1.2] s0 error: cannot mount: no ext4 there\n", "", "m0 (memory) cannot use its volume: no ext4 there")]
    [InlineData(1, "", "qemu: cannot set up guest memory 'pc.ram': x\n", "m0 (memory): this host does not give it 1G of memory")]
    [InlineData(1, "", "qemu: bad device\n", "m0 (memory): QEMU ended with status 1: qemu: bad device")]
    [InlineData(0, "", "qemu-system-x86_64: terminating on signal 15 from pid 7 (kill)\n", "m0 (memory) was killed by signal 15")]
    [InlineData(0, "last words\n", "", "m0 (memory) reset itself (a triple fault?); its last line: last words")]
    public void The_end_of_a_machine_is_a_sentence(int status, string serial, string qemu, string sentence) =>
        Assert.Equal(sentence, MachineEnd.Describe(s_rack.Components[1], status, serial, qemu));

    [Theory]
    [InlineData(0x0700u, 7)]
    [InlineData(0u, 0)]
    [InlineData(9u, 137)]
    [InlineData(0x8Bu, 139)]
    [InlineData(0xFF00u, 255)]
    public void A_wait_status_becomes_what_a_shell_reports(uint status, int expected) =>
        Assert.Equal(expected, new WaitStatus(status).ShellStatus);

    [Fact]
    public void Frames_are_lost_in_the_asked_proportion_and_the_same_ones_each_time()
    {
        const int Frames = 100_000;
        FrameLoss first = new(1, 42);
        FrameLoss second = new(1, 42);
        int lost = 0;
        for (int i = 0; i < Frames; i++)
        {
            bool isLost = first.Takes();
            Assert.Equal(isLost, second.Takes());
            lost += isLost ? 1 : 0;
        }

        Assert.InRange(lost, Frames / 100 * 8 / 10, Frames / 100 * 12 / 10);
    }
}
