// Names a process over its whole life and beyond: ids are used again, so a process is the one with this id that began at that time. What
// keeps one (a pidfd) does not keep the process.

namespace Lego.Processor;

/// <summary>One process, whether it still exists or not; zero-initialised: none.</summary>
public struct ProcessReference
{
    /// <summary>Its id, also when it is gone.</summary>
    public uint Id;
    private ulong _startTimeNs;

    public static unsafe ProcessReference Of(Process* process) => new() { Id = process->Id, _startTimeNs = process->StartTimeNs };

    /// <summary>The process, a zombie included; null when it has been waited for.</summary>
    public readonly unsafe Process* Find(Processes table)
    {
        Process* process = Id == 0 ? null : table.Find(Id);
        return process != null && process->StartTimeNs == _startTimeNs ? process : null;
    }
}
