// The numbers of the mounts that /proc/PID/mountinfo lists (PseudoTexts.MountInfo), by the device that a file is on.

namespace Lego.Processor;

/// <summary>Mount ids of statx(2) and name_to_handle_at(2).</summary>
public static class MountNumbers
{
    private const ulong Root = 1;
    private const ulong Dev = 2;
    private const ulong Proc = 3;
    private const ulong Sys = 4;
    private const ulong SharedMemory = 5;
    /// <summary>What no path leads to, as pipes: listed nowhere.</summary>
    private const ulong Internal = 6;

    /// <summary>The mount of a device.</summary>
    public static ulong Of(uint device) => device switch
    {
        DeviceNumber.Volume => Root,
        DeviceNumber.Dev => Dev,
        DeviceNumber.Proc => Proc,
        DeviceNumber.Sys => Sys,
        DeviceNumber.SharedMemory => SharedMemory,
        _ => Internal,
    };
}
