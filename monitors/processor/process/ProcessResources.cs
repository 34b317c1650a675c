// What a process has beside its memory: the layer above (files/) keeps it, and is told here when a process is born, changes its program or
// ends.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The keeper of Process.Resources.</summary>
public abstract unsafe class ProcessResources
{
    /// <summary>
    /// fork(2): the child gets its share of what the parent has, or the very same (CLONE_FILES, CLONE_FS). ENOMEM; Release then undoes what
    /// has been given.
    /// </summary>
    public abstract Errno Inherit(Process* parent, Process* child, CloneFlags flags);

    /// <summary>
    /// What is shared with other processes becomes the process's own (CLONE_FILES, CLONE_FS): unshare(2), and before execve(2) succeeds.
    /// ENOMEM. May BLOCK.
    /// </summary>
    public abstract Errno Unshare(Process* process, CloneFlags what);

    /// <summary>A process has become a zombie, or is no more: who watches it looks again. Never blocks.</summary>
    public abstract void EndsChanged(uint id);

    /// <summary>A signal ends the thread's process: writes its memory down if it is to (core(5)); true when it has. May BLOCK.</summary>
    public abstract bool DumpCore(UserThread* thread, in SignalInfo info);

    /// <summary>execve(2) has succeeded: what does not outlive the old program goes. May BLOCK.</summary>
    public abstract void Replace(Process* process);

    /// <summary>A signal has become pending for a process or thread. Never blocks.</summary>
    public abstract void OnSignal(int number);

    /// <summary>The process ends, or never ran: it has nothing any more. May BLOCK.</summary>
    public abstract void Release(Process* process);
}
