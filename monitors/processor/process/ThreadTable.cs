// The threads of a component's processes: their memory, their ids, and which of them live. What a thread's end means for its process stands
// at the head of Process.cs. Never blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Threads by id, and those of each process.</summary>
public sealed unsafe class ThreadTable
{
    private const int BucketCount = PageOperations.PageSize / sizeof(ulong);

    private readonly Slab<UserThread> _threads;
    private readonly UserThread** _buckets;

    /// <summary>An empty table with room for so many; boot time. Panics without memory.</summary>
    public ThreadTable(FrameAllocator frames, ulong most)
    {
        _threads = new Slab<UserThread>(frames, most);
        _buckets = (UserThread**)frames.AllocateCleared();
        if (_buckets == null)
        {
            Panic.Because("ThreadTable: no memory");
        }
    }

    /// <summary>Threads that have memory, ended leaders included.</summary>
    public ulong Count => _threads.InUse;

    /// <summary>The thread with an id, ended leaders included; null when there is none.</summary>
    public UserThread* Find(uint id)
    {
        UserThread* thread = _buckets[id % BucketCount];
        while (thread != null && thread->Id != id)
        {
            thread = thread->NextInBucket;
        }

        return thread;
    }

    /// <summary>Memory for a thread; null when there is none. Add makes it one, Discard gives the memory back.</summary>
    public UserThread* Allocate() => _threads.Allocate();

    /// <summary>Gives the memory of a thread back that never had an id.</summary>
    public void Discard(UserThread* thread) => _threads.Free(thread);

    /// <summary>
    /// Takes a thread from those that live. Its memory stays: Free gives it back, for the leader when the process is removed.
    /// </summary>
    public void Retire(UserThread* thread)
    {
        Process* process = thread->Process;
        Signals.Clear(process->Table, ref thread->Pending);
        process->Table.Filters.Leave(thread);
        CpuTime.Bequeath(thread);
        (thread->Previous == null ? ref process->FirstThread : ref thread->Previous->Next) = thread->Next;
        (thread->Next == null ? ref process->LastThread : ref thread->Next->Previous) = thread->Previous;
        thread->Next = null;
        thread->Previous = null;
        thread->Kernel = null;
        process->ThreadCount--;
    }

    /// <summary>Frees a thread that is retired; its id is free.</summary>
    public void Free(UserThread* thread)
    {
        RemoveId(thread);
        _threads.Free(thread);
    }

    /// <summary>The last thread of a process whose leader has ended becomes the leader, with the process's id (execve(2)).</summary>
    public void BecomeLeader(UserThread* thread)
    {
        Process* process = thread->Process;
        Free(process->Leader);
        RemoveId(thread);
        process->Leader = thread;
        AddId(thread, process->Id);
    }

    /// <summary>Gives an allocated thread its process, as the youngest one, and its id.</summary>
    public void Add(Process* process, UserThread* thread, uint id)
    {
        thread->Process = process;
        AddId(thread, id);
        thread->Previous = process->LastThread;
        (process->LastThread == null ? ref process->FirstThread : ref process->LastThread->Next) = thread;
        process->LastThread = thread;
        process->ThreadCount++;
    }

    private void AddId(UserThread* thread, uint id)
    {
        thread->Id = id;
        thread->NextInBucket = _buckets[id % BucketCount];
        _buckets[id % BucketCount] = thread;
    }

    private void RemoveId(UserThread* thread)
    {
        UserThread** link = &_buckets[thread->Id % BucketCount];
        while (*link != thread)
        {
            link = &(*link)->NextInBucket;
        }

        *link = thread->NextInBucket;
    }
}
