// Chooses KVM or TCG. That /dev/kvm exists proves nothing: inside some clouds it cannot run an image that uses SSE in ring 0. So the
// manager image boots once under KVM with a time limit; only a clean end counts. The answer is kept under out/ until QEMU, the host's
// kernel or the CPU model that racks get changes. LEGO_ACCELERATOR=tcg|kvm|count overrides the choice.

using System;
using System.Diagnostics;
using System.IO;
using System.Threading.Tasks;
using Mono.Unix.Native;

namespace Lego.Racks;

/// <summary>Finds the accelerator that works here.</summary>
internal static class AcceleratorProbe
{
    private const string Device = "/dev/kvm";
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(5);

    private static string CpuModel => QemuCommandLine.CpuModel(ComponentDescription.DefaultVectors);

    /// <summary>The accelerator for this host's racks.</summary>
    public static async Task<Accelerator> ChooseAsync(MachineStarter starter)
    {
        if (Environment.GetEnvironmentVariable("LEGO_ACCELERATOR") is { Length: > 0 } wanted)
        {
            return RackFile.ParseEnum<Accelerator>(wanted, "LEGO_ACCELERATOR");
        }

        if (Syscall.access(Device, AccessModes.R_OK | AccessModes.W_OK) != 0)
        {
            return Accelerator.Tcg;
        }

        string cache = Path.Combine(HostPaths.Out, "accelerator");
        string key = $"{Environment.OSVersion.VersionString} {QemuTime():O} {CpuModel}";
        if (File.Exists(cache) && File.ReadAllLines(cache) is [string known, string answer] && known == key)
        {
            return RackFile.ParseEnum<Accelerator>(answer, cache);
        }

        Accelerator found = await BootsUnderKvmAsync(starter) ? Accelerator.Kvm : Accelerator.Tcg;
        File.WriteAllLines(cache, [key, found.ToString()]);
        return found;
    }

    private static async Task<bool> BootsUnderKvmAsync(MachineStarter starter)
    {
        string[] arguments =
        [
            "-machine", "pc", "-accel", "kvm", "-cpu", CpuModel, "-m", "128M", "-no-user-config", "-nodefaults", "-no-reboot",
            "-display", "none", "-kernel", HostPaths.Image("manager"), "-append", "component=manager name=probe probe=on",
            "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        ];
        using Process process = await starter.StartAsync(QemuCommandLine.Program, arguments, "/dev/null");
        try
        {
            await process.WaitForExitAsync().WaitAsync(s_limit);
            return process.ExitCode == MachineEnd.OrderlyStatus;
        }
        catch (TimeoutException)
        {
            process.Kill();
            return false;
        }
    }

    private static DateTime QemuTime() => File.GetLastWriteTimeUtc($"/usr/bin/{QemuCommandLine.Program}");
}
