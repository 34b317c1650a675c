// Simulation stand-in for kernel/threads' Thread: the fields that monitors use. Lives outside the machine's frames, so that frames count
// the same with and without threads.

using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>A kernel thread.</summary>
public unsafe struct Thread
{
    public uint Id;
    public void* Owner;
    public ulong PageTableRoot;
    public ulong FsBase;
    public ExtendedStateArea* ExtendedState;
    /// <summary>Stand-in programs have no restartable sequences.</summary>
    public ulong Turns;

    /// <summary>Registers of the program that runs on it.</summary>
    internal UserContext Context;
    internal Thread* Next;
    /// <summary>The simulated thread; a handle, because this struct holds no references.</summary>
    private GCHandle _simulated;

    internal readonly Simulation.SimThread Simulated => (Simulation.SimThread)_simulated.Target!;

    internal static Thread* New(Simulation.SimThread? simulated)
    {
        Thread* thread = (Thread*)NativeMemory.AllocZeroed((nuint)sizeof(Thread));
        if (simulated != null)
        {
            thread->_simulated = GCHandle.Alloc(simulated);
        }

        return thread;
    }

    internal static void Delete(Thread* thread)
    {
        if (thread->_simulated.IsAllocated)
        {
            thread->_simulated.Free();
        }

        NativeMemory.Free(thread);
    }
}
