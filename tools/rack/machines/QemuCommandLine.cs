// The QEMU command line of one machine of a rack, and the boot line of its image. Pure text: what exists outside (file descriptors, files,
// the switch's sockets) comes in as MachineResources. Every PCI device has a fixed slot, because the two ends of a ring are told in the
// region's header in which slot the doorbell is (RingRegion).
//
//   slot 2 virtio-serial (the control channel)   3 virtio-rng   4 virtio-blk (s, solo)   5, 6 network cards (CardArguments)
//   per peer i in node order: 8+2i ivshmem region, 9+2i serial port = doorbell

using System;
using System.Collections.Generic;
using System.Linq;

namespace Lego.Racks;

/// <summary>How QEMU executes guest code.</summary>
public enum Accelerator
{
    /// <summary>By translation.</summary>
    Tcg,
    /// <summary>On the host's processor.</summary>
    Kvm,
    /// <summary>
    /// By translation, with a clock that advances by one nanosecond for each instruction and does not wait while the machine is idle.
    /// </summary>
    Count,
}

/// <summary>One end of a ring link: the region both machines map and the stream that carries its wake-up bytes.</summary>
internal sealed record RingEnd(ComponentDescription Peer, string RegionPath, int DoorbellDescriptor);

/// <summary>What a machine's command line refers to outside of it.</summary>
internal sealed record MachineResources
{
    public required string ImagePath { get; init; }
    /// <summary>What starts the image; null: QEMU's own choice.</summary>
    public string? FirmwarePath { get; init; }
    /// <summary>Nodes of components that have ended for good: the image does not wait for them.</summary>
    public IReadOnlyCollection<int> Lost { get; init; } = [];
    public required string SerialLogPath { get; init; }
    /// <summary>Unix socket for QEMU's machine protocol (debugger, memory peeks).</summary>
    public required string MonitorPath { get; init; }
    /// <summary>Inherited descriptor of the control channel's stream.</summary>
    public required int ControlDescriptor { get; init; }
    /// <summary>The volume's raw image; storage and solo machines only.</summary>
    public string? VolumePath { get; init; }
    public IReadOnlyList<RingEnd> Rings { get; init; } = [];
    /// <summary>The -netdev value's backend part (FrameSwitch); null without an Ethernet link.</summary>
    public string? NetworkBackend { get; init; }
    /// <summary>Arguments that put a wire with faults between the programs' card and its network (WireForwarder).</summary>
    public IEnumerable<string> Wire { get; init; } = [];
    public Accelerator Accelerator { get; init; }
}

/// <summary>Builds command lines.</summary>
internal static class QemuCommandLine
{
    public const string Program = "qemu-system-x86_64";
    public const int ControlSlot = 2;
    public const int RandomSlot = 3;
    public const int VolumeSlot = 4;
    public const int FirstRingSlot = 8;
    /// <summary>Slots of the PCI bus.</summary>
    public const int Slots = 32;
    private const int DebugExitPort = 0xF4;
    private const int ProgramTranslationMegabytes = 128;
    private const int ImageTranslationMegabytes = 32;

    /// <summary>The arguments after the program's name.</summary>
    public static List<string> Build(RackDescription rack, ComponentDescription component, MachineResources resources)
    {
        List<string> line =
        [
            .. Common(component.Name, resources.Accelerator, component.Cpus, component.Vectors, component.MemoryBytes,
                component.HasExCache),
            .. resources.FirmwarePath is { } firmware ? (string[])["-bios", firmware] : [],
            "-kernel", resources.ImagePath,
            "-append", BootLine(rack, component, resources.Lost),
            "-serial", $"file:{Escape(resources.SerialLogPath)}",
            "-qmp", $"unix:{Escape(resources.MonitorPath)},server=on,wait=off",
            "-device", $"isa-debug-exit,iobase=0x{DebugExitPort:x},iosize=4",
            "-chardev", $"socket,id=control,fd={resources.ControlDescriptor}",
            "-device", $"virtio-serial-pci,disable-legacy=on,addr={ControlSlot:x},max_ports=2",
            "-device", "virtserialport,chardev=control,name=control,nr=1",
            "-device", $"virtio-rng-pci,disable-legacy=on,addr={RandomSlot:x}",
        ];
        if (resources.VolumePath is { } volume)
        {
            line.AddRange(Disk(volume));
        }

        // Two machines cannot record into one file.
        NetworkDescription network = component == rack.ProgramsComponent
            ? rack.Network
            : rack.Network with { CapturePath = null, FabricCapturePath = null };
        if (resources.NetworkBackend is { } backend)
        {
            line.AddRange(CardArguments.Fabric(network, component, backend));
        }

        line.AddRange(CardArguments.Programs(network, component, resources.Wire));

        for (int i = 0; i < resources.Rings.Count; i++)
        {
            AddRing(line, resources.Rings[i], i);
        }

        return line;
    }

    /// <summary>
    /// The CPU of a machine. Without ERMS a string move is cheaper under TCG; the images choose their copy loops by CPUID. What the kernel
    /// does not keep for each thread must not be offered, because some programs look at a CPUID bit alone: never AVX-512, and without XSAVE
    /// nothing of AVX.
    /// </summary>
    public static string CpuModel(VectorRegisters vectors) =>
        vectors == VectorRegisters.Avx ? "max,-erms,-avx512f" : "max,-erms,-xsave,-avx,-avx2,-fma,-f16c,-vaes,-vpclmulqdq,-avx512f";

    /// <summary>
    /// For a machine that can never have a second CPU, TCG translates fences and locked instructions to nothing that orders host memory
    /// (QEMU before 8.1: tcg_gen_mb without CF_PARALLEL). But devices run in other threads of the host, and the other ends of rings in
    /// other processes: a store that is still on its way when the other side's wish to be woken is read is a wake-up that is lost.
    /// </summary>
    private const int LeastPossibleCpus = 2;

    /// <summary>What every machine has, and a Linux guest that is measured beside them.</summary>
    public static string[] Common(string name, Accelerator accelerator, int cpus, VectorRegisters vectors, long memoryBytes,
        bool runsPrograms) =>
    [
        "-name", $"lego-{name}",
        "-machine", "pc",
        "-cpu", CpuModel(vectors),
        .. Acceleration(accelerator, runsPrograms),
        "-m", $"{memoryBytes / ByteSize.MiB}M",
        "-smp", $"{cpus},maxcpus={Math.Max(cpus, LeastPossibleCpus)}",
        "-no-user-config", "-nodefaults", "-no-reboot", "-display", "none",
    ];

    /// <summary>The disk that holds a volume.</summary>
    public static string[] Disk(string imagePath) =>
    [
        "-drive", $"if=none,id=volume,format=raw,cache=writeback,file={Escape(imagePath)}",
        "-device", $"virtio-blk-pci,disable-legacy=on,addr={VolumeSlot:x},drive=volume,"
            // A host without room is an error of the request (EIO); QEMU's default is to stop the machine.
            + "werror=report,rerror=report",
    ];

    /// <summary>The kernel command line: space-separated key=value words that the image's BootArguments reads.</summary>
    public static string BootLine(RackDescription rack, ComponentDescription component, IReadOnlyCollection<int>? lost = null)
    {
        List<string> words =
        [
            $"component={component.KindName}",
            $"name={component.Name}",
            $"node={component.Node}",
            $"link={rack.Link.ToString().ToLowerInvariant()}",
        ];
        ComponentDescription[] peers = [.. rack.Components.Where(c => c.Node != component.Node && lost?.Contains(c.Node) != true)];
        if (peers.Length > 0)
        {
            words.Add("peers=" + string.Join(",", peers.Select(p => $"{p.KindName}:{p.Node}")));
        }

        if (component.HasExCache)
        {
            words.Add($"excache={ByteSize.Format(component.ExCacheBytes)}");
            if (component.Ways > 0)
            {
                words.Add($"ways={component.Ways}");
            }

            if (component.Policy is { } policy)
            {
                words.Add($"policy={policy.ToString().ToLowerInvariant()}");
            }
        }

        bool hasRegions = component.Kind is ComponentKind.Memory or ComponentKind.Solo;
        if (rack.RegionBytes is { } region && hasRegions && !component.BootArguments.Any(word => word.StartsWith("region=")))
        {
            words.Add($"region={ByteSize.Format(region)}");
        }

        if (component.Kind == ComponentKind.Solo)
        {
            words.Add($"memory={ByteSize.Format(component.HomeMemoryBytes)}");
        }

        words.AddRange(CardArguments.BootWords(rack.Network, component));
        words.AddRange(component.BootArguments);
        return string.Join(' ', words);
    }

    /// <summary>PCI slot of the shared region that a machine has for its peer number <paramref name="index"/> (in node order).</summary>
    public static int RegionSlot(int index) => FirstRingSlot + (2 * index);

    /// <summary>PCI slot of the doorbell beside it.</summary>
    public static int DoorbellSlot(int index) => RegionSlot(index) + 1;

    // Without a bound QEMU keeps translated code up to a gigabyte: each exec has its text in other frames, and so translates it anew. When
    // the buffer is full it is emptied as a whole, which costs milliseconds. Programs run on processor components only; the others
    // translate their image once.
    private static string[] Acceleration(Accelerator accelerator, bool runsPrograms)
    {
        string buffer = $"tb-size={(runsPrograms ? ProgramTranslationMegabytes : ImageTranslationMegabytes)}";
        return accelerator switch
        {
            Accelerator.Kvm => ["-accel", "kvm"],
            Accelerator.Count => ["-accel", $"tcg,thread=single,{buffer}", "-icount", "shift=0,sleep=off"],
            _ => ["-accel", $"tcg,{buffer}"],
        };
    }

    private static void AddRing(List<string> line, RingEnd ring, int index)
    {
        int node = ring.Peer.Node;
        line.AddRange(
        [
            "-object", $"memory-backend-file,id=region{node},share=on,size={RingRegion.FileBytes},mem-path={Escape(ring.RegionPath)}",
            "-device", $"ivshmem-plain,memdev=region{node},addr={RegionSlot(index):x}",
            "-chardev", $"socket,id=doorbell{node},fd={ring.DoorbellDescriptor}",
            "-device", $"pci-serial,chardev=doorbell{node},addr={DoorbellSlot(index):x}",
        ]);
    }

    // QEMU's option syntax doubles commas inside values (qemu(1), "-drive").
    internal static string Escape(string path) => path.Replace(",", ",,");
}
