// What an entry of a process's page table says when its Present bit is clear. The page table is the only look-up structure of the ExCache
// (DiLOS's unified page table, features row D04): present = a resident line; otherwise bits 1 and 2 tell where the page is. The hardware
// ignores all bits of a non-present entry (SDM vol. 3, 4.5).
//
//   untouched   0     never written to, as far as its owner knows: anonymous memory is zero and is made here, file pages are the file's
//   remote      2     the owner memory component has it
//   in flight   4     a fill or a write-back is under way; whoever wants the page waits on ExCache's arrival queue and looks again. The bit
//                     Leaving stays in it

using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Encoding of page-table entries.</summary>
public static class PageState
{
    public const ulong Untouched = 0;
    public const ulong Remote = 2;
    public const ulong InFlight = 4;

    /// <summary>
    /// In a present entry, in a bit that the hardware leaves to software: the page ceases to exist if the home agrees to the map call that
    /// holds the space (ExCache.Changes.cs).
    /// </summary>
    public const ulong Leaving = 1UL << 9;

    /// <summary>
    /// In a present entry, in another such bit: it is of a MAP_SHARED mapping, which stores into the object's own page (ExCache.Shared.cs).
    /// </summary>
    public const ulong Stores = 1UL << 10;

    /// <summary>True while a fill or a write-back of the page is under way.</summary>
    public static bool IsInFlight(ulong entry) => (entry & ~Leaving) == InFlight;

    /// <summary>True for a resident line.</summary>
    public static bool IsPresent(ulong entry) => (entry & PageTable.Present) != 0;

    /// <summary>True for a resident line that the entry's mapping may store into for all.</summary>
    public static bool IsStored(ulong entry) => (entry & (PageTable.Present | Stores)) == (PageTable.Present | Stores);

    /// <summary>The bits of a present entry that say nothing of rights: where the page is, and what the CPU has noted.</summary>
    public const ulong NotRights = PageTable.AddressMask | PageTable.Accessed | PageTable.Dirty;

    /// <summary>
    /// Permission bits of a present entry. A range without any permission keeps its lines, present for the kernel only: x86-64 has no
    /// other unreadable page (SDM vol. 3, 4.6). Writing or executing implies reading, as on every x86-64 Linux.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Bits(Protection protection)
    {
        if (protection == Protection.None)
        {
            return PageTable.Present | PageTable.NoExecute;
        }

        ulong bits = PageTable.Present | PageTable.User;
        if ((protection & Protection.Write) != 0)
        {
            bits |= PageTable.Writable;
        }

        if ((protection & Protection.Execute) == 0)
        {
            bits |= PageTable.NoExecute;
        }

        return bits;
    }

    /// <summary>True when a present entry lets user mode make this access.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Allows(ulong entry, MissAccess access)
    {
        return (entry & PageTable.User) != 0 && access switch
        {
            MissAccess.Write => (entry & PageTable.Writable) != 0,
            MissAccess.Execute => (entry & PageTable.NoExecute) == 0,
            _ => true,
        };
    }

    /// <summary>True when a range with this protection lets user mode make this access.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Allows(Protection protection, MissAccess access)
    {
        return access switch
        {
            MissAccess.Write => (protection & Protection.Write) != 0,
            MissAccess.Execute => (protection & Protection.Execute) != 0,
            _ => protection != Protection.None,
        };
    }
}
