// What programs may write into /proc: a command name, the score of a process that is to go when memory is short, host and domain name.
// Everything else is EINVAL, as on Linux: nothing is accepted that would have no effect. BLOCKS (copies).

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Settings in /proc.</summary>
public static unsafe class PseudoSettings
{
    private const int MaxText = 128;

    /// <summary>Takes a whole setting in one write; bytes written or -errno.</summary>
    public static long Write(Process* caller, PseudoNode node, ref IoVector from)
    {
        Span<byte> text = stackalloc byte[MaxText];
        ulong given = from.RemainingBytes;
        Errno error = from.Take(text.Slice(0, (int)Math.Min(given, MaxText)), out int taken);
        if (error == Errno.None)
        {
            error = Apply(caller, node, text.Slice(0, taken));
        }

        return error == Errno.None ? (long)given : CallResult.Fail(error);
    }

    private static Errno Apply(Process* caller, PseudoNode node, ReadOnlySpan<byte> text)
    {
        ReadOnlySpan<byte> line = text.Length != 0 && text[text.Length - 1] == (byte)'\n' ? text.Slice(0, text.Length - 1) : text;
        switch (node.File)
        {
            case PseudoFile.ProcessComm:
                return SetName(caller, node, line);
            case PseudoFile.ProcessOomScoreAdjust:
                return SetOutOfMemoryScore(caller, node.ProcessId, line);
            case PseudoFile.ProcSysHostName:
                return SetSystemName(caller, line, isDomain: false);
            case PseudoFile.ProcSysDomainName:
                return SetSystemName(caller, line, isDomain: true);
            default:
                return Errno.EINVAL;
        }
    }

    /// <summary>Only threads of the process itself may rename it (proc(5)).</summary>
    private static Errno SetName(Process* caller, PseudoNode node, ReadOnlySpan<byte> name)
    {
        UserThread* thread = PseudoTree.ThreadOf(caller->Table, node);
        if (thread == null || thread->Process != caller)
        {
            return thread == null ? Errno.ESRCH : Errno.EINVAL;
        }

        Span<byte> target = thread->Name;
        target.Clear();
        name.Slice(0, Math.Min(name.Length, Process.NameBytes - 1)).CopyTo(target);
        return Errno.None;
    }

    /// <summary>-1000 to 1000; less than it is only for root.</summary>
    private static Errno SetOutOfMemoryScore(Process* caller, uint id, ReadOnlySpan<byte> line)
    {
        const int Most = 1000;
        bool isNegative = line.Length != 0 && line[0] == (byte)'-';
        if (!PathText.TryNumber(isNegative ? line.Slice(1) : line, out uint number) || number > Most)
        {
            return Errno.EINVAL;
        }

        Process* process = Visibility.FindProcess(caller, id);
        if (process == null)
        {
            return Errno.ESRCH;
        }

        short score = (short)(isNegative ? -(int)number : (int)number);
        if (score < process->OutOfMemoryScore && caller->EffectiveUserId != 0)
        {
            return Errno.EACCES;
        }

        process->OutOfMemoryScore = score;
        return Errno.None;
    }

    private static Errno SetSystemName(Process* caller, ReadOnlySpan<byte> name, bool isDomain)
    {
        if (!Visibility.IsRootOfComponent(caller))
        {
            return Errno.EPERM;
        }

        SystemFacts facts = FileSystem.Of(caller).Facts;
        ReadOnlySpan<byte> kept = name.Slice(0, Math.Min(name.Length, SystemFacts.MaxNameBytes));
        if (isDomain)
        {
            facts.SetDomainName(kept);
        }
        else
        {
            facts.SetHostName(kept);
        }

        return Errno.None;
    }
}
