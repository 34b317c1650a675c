// The processor monitor of one processor component: what its parts share. Built once at start-up by the image (processor or solo), before any
// program runs. One instance per machine. Nothing here blocks.

using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Singletons and addresses of the processor monitor.</summary>
public sealed unsafe class ProcessorMonitor
{
    private const byte ProgramGroup = (byte)((ushort)Opcode.StartProcess >> 8);

    private static ProcessorMonitor? s_instance;

    private readonly EntropySource? _entropy;

    /// <summary>Makes the monitor, its ExCache (boot arguments) and tables, and registers its service.</summary>
    public ProcessorMonitor(RpcEndpoint rpc, FrameAllocator frames, ushort manager, EntropySource? entropy)
    {
        s_instance = this;
        Rpc = rpc;
        Frames = frames;
        Manager = manager;
        _entropy = entropy;
        Processes.Initialize(frames);
        ScratchBuffers.Initialize(frames);
        FileObjects.Initialize(frames);
        if (entropy != null)
        {
            RandomBytes.Seed(entropy);
        }

        ExCache = new ExCache(frames, rpc, ExCacheOptions.FromBootArguments());
        UserEntry.Install();
        rpc.Register(ProgramGroup, new ProgramService());
    }

    /// <summary>The monitor of this machine.</summary>
    public static ProcessorMonitor Instance => s_instance!;

    public RpcEndpoint Rpc { get; }

    /// <summary>Memory of the kernel region; the ExCache's lines are taken out of it at boot.</summary>
    public FrameAllocator Frames { get; }

    public ExCache ExCache { get; }

    /// <summary>This component's node id.</summary>
    public ushort Node => Rpc.Node;

    /// <summary>Node of the manager component.</summary>
    public ushort Manager { get; }

    /// <summary>CPUID.1:EDX, which programs find as AT_HWCAP.</summary>
    public ulong HardwareCapabilities { get; set; }

    /// <summary>64 random bits, for layouts, canaries and /dev/urandom's seed.</summary>
    public ulong NextRandom()
    {
        ulong value = Cpu.Timestamp();
        if (_entropy != null)
        {
            _entropy.Fill(new System.Span<byte>(&value, sizeof(ulong)));
        }

        return value;
    }

    /// <summary>Adds the counters of the ExCache and of processes.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        ExCache.Report(ref writer);
        FileObjects.Report(ref writer);
        writer.Add("processor.processes"u8, Processes.Count);
        writer.Add("processor.processes_created"u8, Processes.Created);
        writer.Add("processor.kernel_frames_free"u8, Frames.FreePages);
        writer.Add("processor.kernel_frames"u8, Frames.TotalPages);
    }
}
