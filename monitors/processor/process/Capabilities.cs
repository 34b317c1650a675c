// What a process may do that its user may not (capabilities(7)). Rights go by user here: who has the effective user id 0 may do everything,
// whatever he gave up. Two capabilities count besides: CAP_SETUID and CAP_SETGID, with which whoever drops to a user keeping what is
// permitted (PR_SET_KEEPCAPS) sets the rest of his ids. All threads of a process have the same. Never blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The capabilities of processes.</summary>
public static unsafe class Capabilities
{
    /// <summary>CAP_CHOWN to CAP_CHECKPOINT_RESTORE.</summary>
    public const ulong All = 0x1FF_FFFF_FFFF;
    public const int Count = 41;

    /// <summary>CAP_SETGID, CAP_SETUID.</summary>
    public const ulong SetGroupId = 1 << 6;
    public const ulong SetUserId = 1 << 7;
    public const ulong SystemAdministration = 1 << 21;

    public static bool Has(Process* process, ulong capability) =>
        process->EffectiveUserId == 0 || (process->EffectiveCapabilities & capability) != 0;

    /// <summary>What a new program begins with: root all of them, others none.</summary>
    public static void OnExecute(Process* process)
    {
        process->PermittedCapabilities = IsRoot(process) ? All : 0;
        process->EffectiveCapabilities = process->EffectiveUserId == 0 ? All : 0;
        process->KeepsCapabilities = false;
    }

    /// <summary>Gives a process other user ids; capabilities follow ("Effect of user ID changes on capabilities").</summary>
    public static void SetUsers(Process* process, uint real, uint effective, uint saved)
    {
        bool wasRoot = IsRoot(process);
        bool wasEffective = process->EffectiveUserId == 0;
        bool isOther = process->EffectiveUserId != effective || process->FileSystemUserId != effective;
        process->UserId = real;
        process->EffectiveUserId = effective;
        process->SavedUserId = saved;
        process->FileSystemUserId = effective;
        if (wasRoot && !IsRoot(process) && !process->KeepsCapabilities)
        {
            process->PermittedCapabilities = 0;
            process->EffectiveCapabilities = 0;
        }

        if (wasEffective != (effective == 0))
        {
            process->EffectiveCapabilities = wasEffective ? 0 : process->PermittedCapabilities;
        }

        if (isOther)
        {
            ActsAsAnother(process);
        }
    }

    /// <summary>
    /// A process acts as another user or group now: whoever is that one does not look into what the former has left, and its parent's end
    /// sends it no signal any more (Linux's commit_creds; prctl(2), PR_SET_DUMPABLE and PR_SET_PDEATHSIG).
    /// </summary>
    public static void ActsAsAnother(Process* process)
    {
        process->Dumpable = 0;
        process->ParentDeathSignal = 0;
    }

    private static bool IsRoot(Process* process) => process->UserId == 0 || process->EffectiveUserId == 0 || process->SavedUserId == 0;
}
