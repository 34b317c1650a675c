// The processor monitor of one processor component: made once at start-up by the image (processor or solo), before any program runs.
// Nothing here blocks, except for the entropy device.

using System;
using Lego.Common.VNodes;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The parts of the processor monitor, lowest first: each knows those before it.</summary>
public sealed class ProcessorMonitor
{
    private const byte ProgramGroup = (byte)((ushort)Opcode.StartProcess >> 8);
    private const ulong EndPauseNs = 10_000_000;

    /// <summary>Makes the monitor, its ExCache (boot arguments) and tables, and registers its service.</summary>
    public ProcessorMonitor(RpcEndpoint rpc, FrameAllocator frames, ushort manager, EntropySource? entropy, NetDevice? card = null)
    {
        ExCache = new ExCache(frames, rpc, ExCacheOptions.FromBootArguments());
        Processes = new Processes(frames, rpc, ExCache, manager);
        ExCache.Limit = Processes.VNodes;
        if (entropy != null)
        {
            Processes.Random.Seed(entropy);
        }

        Files = new FileSystem(Processes, card);
        UserEntry entry = new(this);
        TrapMeasurement = new TrapMeasurement(entry);
        UserMode.Handler = entry;
        rpc.Register(ProgramGroup, new ProgramService(Files));
        rpc.Register(FileLeases.OpcodeGroup, Files.Leases);
        VNodeService.Register(rpc, manager, new VNodeRequests(Processes.VNodes, Files));
    }

    /// <summary>
    /// Starts the threads of the monitor; boot time. <paramref name="isOnly"/>: no other processor component can ever join the rack.
    /// </summary>
    public void StartThreads(bool isOnly)
    {
        Files.Leases.Start();
        Files.SharedWriter.Start();
        if (isOnly)
        {
            Files.Kept.Start();
        }

        if (Files.Card is { } card)
        {
            Poller.Register(card);
            card.Start(BootArguments.TryGet("address"u8, out ReadOnlySpan<byte> address) ? address : default);
        }
    }

    public ExCache ExCache { get; }

    public Processes Processes { get; }

    public FileSystem Files { get; }

    /// <summary>Memory of the kernel region; the ExCache's lines are taken out of it at boot.</summary>
    public FrameAllocator Frames => Processes.Frames;

    /// <summary>System calls that the log has been told about.</summary>
    internal ReportedCalls Reported { get; } = new();

    internal TrapMeasurement TrapMeasurement { get; }

    /// <summary>The rack takes this component for dead: it ends every program, as SIGKILL does. BLOCKS until none is left.</summary>
    public unsafe void EndPrograms()
    {
        while (Processes.Count != 0)
        {
            for (Process* process = Processes.First; process != null; process = process->Next)
            {
                Signals.Doom(process, WaitStatus.Killed(Signal.Kill));
            }

            Scheduler.Sleep(EndPauseNs);
        }

        Files.SharedMemory.Clear();
        Files.Segments.Clear();
        Processes.Semaphores.Clear();
        Processes.Messages.Clear();
        Files.Queues.Clear();
        ExCache.ForgetNames();
        // The next life has been promised nothing.
        Files.Leases.Clock.ForgetAll();
    }

    /// <summary>
    /// The rack has so many processor components. With others, pages of files may change without this one's hearing of it.
    /// </summary>
    public void ShareRack(int processors) => ExCache.ShareNames(isAlone: processors <= 1);

    /// <summary>
    /// A component's life has ended, and with it what it had promised to tell. If it was a memory component, so has the memory of the
    /// programs that it was home to: they end as SIGKILL does. What is resident of files may be newer than what is left of them, so it
    /// goes. Of one that only owned vRegions nothing else goes: a program ends when it asks for a page there. Does not block.
    /// </summary>
    public unsafe void Departed(ushort node)
    {
        if (node == Processes.Manager)
        {
            HangUp();
            return;
        }

        if (IsOnlyAnOwner(node))
        {
            return;
        }

        Files.Kept.Lose();
        ExCache.ForgetNames();
        // Whatever it had promised, its next life does not know of it.
        Files.Leases.Clock.ForgetAll();
        for (Process* process = Processes.First; process != null; process = process->Next)
        {
            if (process->Space != null && process->Space->Home == node)
            {
                Signals.Doom(process, WaitStatus.Killed(Signal.Kill));
            }
        }
    }

    /// <summary>
    /// The manager that the programs' sessions had has gone, and with it the users' sides, as a terminal goes: SIGHUP, end of input, EPIPE.
    /// </summary>
    private void HangUp()
    {
        Files.Sessions.HangUpAll();
        SignalInfo hangUp = SignalInfo.FromKernel(Signal.Hangup);
        SignalInfo goOn = SignalInfo.FromKernel(Signal.Continue);
        Signals.SendToTerminalSessions(Processes, in hangUp);
        Signals.SendToTerminalSessions(Processes, in goOn);
    }

    /// <summary>True when there are programs, and none has its home, its files or the cache of these there.</summary>
    private unsafe bool IsOnlyAnOwner(ushort node)
    {
        for (Process* process = Processes.First; process != null; process = process->Next)
        {
            ref PlaceReply place = ref process->Place;
            if (place.HomeMemory == node || place.FileMemory == node || place.Storage == node)
            {
                return false;
            }
        }

        return Processes.First != null;
    }

    /// <summary>Adds the counters of the ExCache and of processes.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        ExCache.Report(ref writer);
        Files.Report(ref writer);
        writer.Add("processor.processes"u8, Processes.Count);
        writer.Add("processor.processes_created"u8, Processes.Created);
        writer.Add("processor.kernel_frames_free"u8, Frames.FreePages);
        writer.Add("processor.kernel_frames"u8, Frames.TotalPages);
    }
}
