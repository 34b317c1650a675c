// Restartable sequences (rseq(2), Linux's include/uapi/linux/rseq.h): a thread tells where it has an area that says which CPU it runs on,
// and where it points to a description of the sequence of instructions that it is in. Such a sequence works on data of that CPU without
// atomic instructions; if the thread is put aside or takes a signal before the sequence's last instruction, it continues at the sequence's
// abort handler. Here that is checked on the way to user mode, whenever the thread has been given a CPU anew (Thread.Turns), and before a
// signal's frame is made. BLOCKS.

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Areas and sequences of threads.</summary>
public static unsafe class RestartableSequence
{
    /// <summary>Bytes and alignment of the area's first version.</summary>
    public const uint AreaBytes = 32;

    private const ulong SequenceOffset = 8;
    private const ulong PlaceOffset = 20;
    private const uint NoCpu = uint.MaxValue;

    /// <summary>What the kernel tells: cpu_id_start, cpu_id; and further on node_id, mm_cid.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Pair
    {
        internal uint First;
        internal uint Second;
    }

    /// <summary>struct rseq_cs.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Sequence
    {
        internal uint Version;
        internal uint Flags;
        internal ulong Start;
        internal ulong Length;
        internal ulong AbortHandler;
    }

    /// <summary>The area is to be brought up to date before the thread continues in user mode.</summary>
    public static bool IsDue(UserThread* thread) => thread->SequenceArea != 0 && thread->SequenceTurn != thread->Kernel->Turns;

    /// <summary>Registers an area, which is brought up to date before the call returns.</summary>
    public static void Register(UserThread* thread, ulong area, uint signature)
    {
        thread->SequenceArea = area;
        thread->SequenceSignature = signature;
        thread->SequenceTurn = ulong.MaxValue;
        thread->SequenceCpu = NoCpu;
    }

    /// <summary>Forgets the area, which says that the thread runs nowhere. EFAULT.</summary>
    public static Errno Unregister(UserThread* thread)
    {
        ulong area = thread->SequenceArea;
        thread->SequenceArea = 0;
        Pair cpus = new() { Second = NoCpu };
        Pair place = default;
        return Tell(thread, area, in cpus, in place);
    }

    /// <summary>
    /// The thread has been put aside, or may have been: its sequence is aborted, and the area says where it runs. False: area or sequence
    /// are no good, and the thread gets SIGSEGV.
    /// </summary>
    public static bool TryUpdate(UserThread* thread, UserContext* user)
    {
        while (IsDue(thread))
        {
            // Copies may wait, and then the thread may find itself elsewhere.
            thread->SequenceTurn = thread->Kernel->Turns;
            if (!TryLeave(thread, user) || !TryTell(thread, (uint)Cpu.Index))
            {
                thread->SequenceTurn = thread->Kernel->Turns;
                return false;
            }
        }

        return true;
    }

    /// <summary>Takes the thread to the abort handler of the sequence that it is in, if it is in one. False as for TryUpdate.</summary>
    public static bool TryLeave(UserThread* thread, UserContext* user)
    {
        Process* process = thread->Process;
        UserPointer<ulong> current = new(thread->SequenceArea + SequenceOffset);
        if (current.Read(process, out ulong address) != Errno.None)
        {
            return false;
        }

        if (address == 0)
        {
            return true;
        }

        if (new UserPointer<Sequence>(address).Read(process, out Sequence sequence) != Errno.None || !IsValid(in sequence)
            || new UserPointer<uint>(sequence.AbortHandler - sizeof(uint)).Read(process, out uint signature) != Errno.None
            || signature != thread->SequenceSignature)
        {
            return false;
        }

        if (user->Rip - sequence.Start < sequence.Length)
        {
            user->Rip = sequence.AbortHandler;
        }

        return current.Write(process, 0UL) == Errno.None;
    }

    private static bool IsValid(in Sequence sequence)
    {
        ulong end = sequence.Start + sequence.Length;
        return sequence.Version == 0 && sequence.Start < UserMemory.Limit && end >= sequence.Start && end < UserMemory.Limit
            && sequence.AbortHandler is >= sizeof(uint) and < UserMemory.Limit && sequence.AbortHandler - sequence.Start >= sequence.Length;
    }

    /// <summary>
    /// Says where the thread runs, unless that was said last. An area that the program itself overwrites or unmaps stays so until the
    /// thread's CPU changes.
    /// </summary>
    private static bool TryTell(UserThread* thread, uint cpu)
    {
        Pair cpus = new() { First = cpu, Second = cpu };
        Pair place = new() { Second = cpu };
        if (thread->SequenceCpu != cpu && Tell(thread, thread->SequenceArea, in cpus, in place) != Errno.None)
        {
            return false;
        }

        thread->SequenceCpu = cpu;
        return true;
    }

    private static Errno Tell(UserThread* thread, ulong area, in Pair cpus, in Pair place)
    {
        Errno error = new UserPointer<Pair>(area).Write(thread->Process, in cpus);
        return error != Errno.None ? error : new UserPointer<Pair>(area + PlaceOffset).Write(thread->Process, in place);
    }
}
