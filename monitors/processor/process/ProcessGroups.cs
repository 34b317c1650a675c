// Process groups that nobody outside can continue (POSIX 3.264 "orphaned process group"): they are not stopped by a terminal, and when a
// group becomes orphaned with a stopped member, its members get SIGHUP and SIGCONT. Nothing here blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Orphaned process groups.</summary>
public static unsafe class ProcessGroups
{
    /// <summary>True when no member of the process's group has a parent in another group of the same session.</summary>
    public static bool IsOrphaned(Process* process) => IsOrphaned(process, null);

    /// <summary>
    /// The process is about to leave its place: it ends (parent = its own), or it has just got another parent instead of
    /// <paramref name="parent"/>, which ends. If its group has become orphaned by that and a member is stopped, nobody is left to continue
    /// it.
    /// </summary>
    public static void HangUpIfOrphaned(Process* process, Process* parent)
    {
        bool ends = parent == process->Parent;
        bool wasTheConnection = parent != null && parent->Group != process->Group && parent->SessionId == process->SessionId;
        if (wasTheConnection && IsOrphaned(process, ends ? process : null) && HasStoppedMember(process))
        {
            Signals.SendToGroup(process->Table, process->Group, SignalInfo.FromKernel(Signal.Hangup));
            Signals.SendToGroup(process->Table, process->Group, SignalInfo.FromKernel(Signal.Continue));
        }
    }

    private static bool IsOrphaned(Process* process, Process* without)
    {
        for (Process* member = process->Table.First; member != null; member = member->Next)
        {
            bool counts = member->Group == process->Group && member->State != ProcessState.Zombie && member != without;
            if (counts && member->Parent != null && member->Parent->SessionId == process->SessionId
                && member->Parent->Group != process->Group)
            {
                return false;
            }
        }

        return true;
    }

    private static bool HasStoppedMember(Process* process)
    {
        for (Process* member = process->Table.First; member != null; member = member->Next)
        {
            if (member->Group == process->Group && member->State == ProcessState.Stopped)
            {
                return true;
            }
        }

        return false;
    }
}
