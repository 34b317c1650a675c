// Which processes another one knows of. A vNode's processes see each other and nobody else: to all calls that name a process, a group or
// "everybody", and to /proc, the others do not exist (as in a pid namespace whose ids are the component's). Programs of the rack itself
// (vNode 0) see all. Process 1 belongs to the rack. Never blocks.

namespace Lego.Processor;

/// <summary>Look-ups on behalf of a process.</summary>
public static unsafe class Visibility
{
    /// <summary>Whether a process knows of another one.</summary>
    public static bool Sees(Process* viewer, Process* other) => viewer->VNode == 0 || viewer->VNode == other->VNode;

    /// <summary>
    /// Whether a process is root where that is about all of the component, its name or what passes on its network: a vNode's root is not.
    /// </summary>
    public static bool IsRootOfComponent(Process* process) => process->EffectiveUserId == 0 && process->VNode == 0;

    /// <summary>The process with an id, as <see cref="Processes.Find"/>; null when the viewer does not know of it.</summary>
    public static Process* FindProcess(Process* viewer, uint id)
    {
        Process* process = viewer->Table.Find(id);
        return process != null && Sees(viewer, process) ? process : null;
    }

    /// <summary>The thread with an id, as <see cref="ThreadTable.Find"/>; null when the viewer does not know of it.</summary>
    public static UserThread* FindThread(Process* viewer, uint id)
    {
        UserThread* thread = viewer->Table.UserThreads.Find(id);
        return thread != null && Sees(viewer, thread->Process) ? thread : null;
    }
}
