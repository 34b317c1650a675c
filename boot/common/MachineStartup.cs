// What every machine of a rack has, whatever runs on it: frames, devices and the control channel. Boot thread only; everything here may
// allocate until Run seals the managed heap.

using System;
using Lego.Common.Control;
using Lego.Drivers;
using Lego.Kernel;

namespace Lego.Boot;

/// <summary>Brings up a machine's devices and its control channel.</summary>
public sealed unsafe class MachineStartup
{
    /// <summary>Starts the devices. <paramref name="kind"/> is what the machine calls itself in its greeting.</summary>
    public MachineStartup(ReadOnlySpan<byte> kind)
    {
        Frames = Startup.Frames;
        Devices = new DeviceSet(new PortConfiguration(), Frames);
        if (BootArguments.Is("probe"u8, "on"u8))
        {
            // The rack tool tries out what can run images: one that has come so far can be run.
            DebugExit.Orderly();
        }

        Node = (ushort)BootArguments.GetNumber("node"u8, 0);
        if (Node == 0)
        {
            Panic.Because("MachineStartup: the boot line has no node=");
        }

        if (Devices.Control == null)
        {
            Panic.Because("MachineStartup: no control channel (virtio-serial) on this machine");
        }

        Transmitter = new ControlTransmitter(Devices.Control!, Frames);
        Control = new ControlServer(Devices.Control!, Transmitter, Frames, kind, Log.Name, &Leave);
    }

    /// <summary>The machine's own node id.</summary>
    public ushort Node { get; }

    public FrameAllocator Frames { get; }

    public DeviceSet Devices { get; }

    public ControlTransmitter Transmitter { get; }

    public ControlServer Control { get; }

    private static void Leave(Errno error)
    {
        if (error != Errno.None)
        {
            DebugExit.Unwritten();
        }

        DebugExit.Orderly();
    }

    /// <summary>
    /// The last step of a Main: from here on the machine lives from interrupts, polls and threads, and allocates no objects.
    /// </summary>
    public void Run()
    {
        Control.Add(new MachineStatistics(Frames));
        Control.Add(new DeviceStatistics(Devices));
        Poller.Register(Control);
        Log.Info($"node {(int)Node} is up: {Processors.Count} CPUs, {(Frames.FreePages * PageOperations.PageSize) >> 20} MB free");
        ManagedHeap.Seal();
    }
}
