// What a process has beside its memory: the layer above (files/) keeps it, and is told here when a process is born, changes its program or ends.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The keeper of Process.Resources.</summary>
public abstract unsafe class ProcessResources
{
    /// <summary>fork(2): the child gets its share of what the parent has. ENOMEM; Release then undoes what has been given.</summary>
    public abstract Errno Inherit(Process* parent, Process* child);

    /// <summary>execve(2) has succeeded: what does not outlive the old program goes. May BLOCK.</summary>
    public abstract void Replace(Process* process);

    /// <summary>The process ends, or never ran: it has nothing any more. May BLOCK.</summary>
    public abstract void Release(Process* process);
}
