// Why a machine is no longer there, as a sentence. The image tells by its exit status: a write of v to the isa-debug-exit port ends QEMU
// with (v << 1) | 1; 0x10 is an orderly shutdown, 0x11 one that lost data, 0x1C a disk that is of no use, 0x20 a panic. Everything else is
// QEMU's own end or a signal from outside.

using System.Text.RegularExpressions;

namespace Lego.Racks;

/// <summary>Turns exit statuses of QEMU into sentences.</summary>
internal static partial class MachineEnd
{
    public const int OrderlyStatus = (0x10 << 1) | 1;
    /// <summary>Orderly, but something could not be written; the log says what, behind "data loss: ".</summary>
    public const int DataLostStatus = (0x11 << 1) | 1;
    public const int UnusableStatus = (0x1C << 1) | 1;
    public const int PanicStatus = (0x20 << 1) | 1;
    /// <summary>QEMU could not make the machine.</summary>
    private const int NoStartStatus = 1;
    private const int SignalKill = 9;

    /// <summary>Describes the end of a component's machine.</summary>
    /// <param name="status">Exit status of the process, 128 + N for signal N.</param>
    /// <param name="serialLog">What the image printed.</param>
    /// <param name="qemuLog">What QEMU printed.</param>
    public static string Describe(ComponentDescription component, int status, string serialLog, string qemuLog)
    {
        if (SerialLog.PanicReason(serialLog) is { } reason)
        {
            return $"{component.Title} panicked: {reason}";
        }
        // QEMU ends by itself, with status 0, on SIGTERM, SIGINT and SIGHUP, and says so: "terminating on signal 15 from pid 7 (kill)".
        if (status == 0 && QemuSignal().Match(qemuLog) is { Success: true } match)
        {
            return $"{component.Title} was killed by signal {match.Groups[1].Value}";
        }

        return status switch
        {
            PanicStatus => $"{component.Title} panicked without a reason",
            UnusableStatus =>
                $"{component.Title} cannot use {VolumeOf(component)}: {SerialLog.LineWith(serialLog, "cannot mount: ") ?? "see its log"}",
            OrderlyStatus => $"{component.Title} shut itself down",
            DataLostStatus =>
                $"{component.Title} could not write everything: {SerialLog.LineWith(serialLog, "data loss: ") ?? "it did not say why"}",
            ExitStatus.SignalBase + SignalKill => $"{component.Title} was killed",
            NoStartStatus when qemuLog.Contains("cannot set up guest memory", System.StringComparison.Ordinal) =>
                $"{component.Title}: this host does not give it {ByteSize.Format(component.MemoryBytes)} of memory",
            > ExitStatus.SignalBase => $"{component.Title} was killed by signal {status - ExitStatus.SignalBase}",
            0 => $"{component.Title} reset itself (a triple fault?); its last line: {SerialLog.LastLine(serialLog) ?? "none"}",
            _ => $"{component.Title}: QEMU ended with status {status}: {SerialLog.LastLine(qemuLog) ?? "no message"}",
        };
    }

    private static string VolumeOf(ComponentDescription component) => component.Volume is { } name ? $"the volume {name}" : "its volume";

    [GeneratedRegex("terminating on signal ([0-9]+)")]
    private static partial Regex QemuSignal();
}
