// Translations that have become stale, gathered so that the other CPUs are interrupted once for many of them (batched TLB shootdowns; Linux
// has struct mmu_gather, Amit: "Optimizing the TLB Shootdown Algorithm with Page Access Tracking", ATC '17, says what one costs).
//
// Until End returns, any CPU may still read and write through what was forgotten in between. So whoever gathers does not block before End
// (the kernel lock keeps everybody else from what has been freed meanwhile), takes no frame that was freed since Begin, and reads no page
// as unchanged of which only the right to write was taken. Whether a page is dirty is known earlier only of an entry that was exchanged for
// one that is not present: no CPU sets a bit in that any more (SDM vol. 3, 4.8).

namespace Lego.Kernel;

/// <summary>What is to be forgotten of one address space at a time; another one's come after it.</summary>
public unsafe struct StaleTranslations
{
    private ulong _root;
    private int _count;
    private int _depth;
    private fixed ulong _addresses[PageTable.MostInvalidated];

    /// <summary>Gathers from here to <see cref="End"/>; such pairs may stand within each other.</summary>
    public void Begin() => _depth++;

    /// <summary>The end of the outermost pair: all CPUs have forgotten what was gathered when it returns.</summary>
    public void End()
    {
        if (--_depth == 0)
        {
            Flush();
        }
    }

    /// <summary>A translation is stale: it is forgotten at once, or at the end if it is gathered.</summary>
    public void Forget(ulong root, ulong address)
    {
        if (_depth == 0)
        {
            PageTable.Invalidate(root, address);
            return;
        }

        if (root != _root)
        {
            Flush();
            _root = root;
        }

        if (_count < PageTable.MostInvalidated)
        {
            _addresses[_count] = address;
        }

        _count++;
    }

    private void Flush()
    {
        if (_count != 0)
        {
            fixed (ulong* addresses = _addresses)
            {
                PageTable.Invalidate(_root, addresses, _count);
            }
        }

        _count = 0;
    }
}
