// Blocks that nobody can reach any more and whose frames have not been given back: a gigabyte is 262,144 frames, too many for the handler
// of an exit or a munmap, in which no other request is served. So whole blocks are only buried there; a few at once, the rest by a thread
// of its own in slices, or by whoever runs short of frames.
//
// The graves are lists of mappings. The first mapping of each list is linked to the next list through its Previous, which is free there; so
// a space's own list of blocks becomes a grave in one step. A buried mapping that still has its key is still in the table: spaces' numbers
// are never used again, so nobody finds it.

using Lego.Kernel;

namespace Lego.Memory;

public sealed unsafe partial class FrameMap
{
    /// <summary>Blocks of one slice, 1,024 frames: some 100 us of an emulated CPU.</summary>
    private const int SliceBlocks = 16;

    private BlockMapping* _graves;
    private WaitQueue _buried;

    /// <summary>Gives the frames of one buried block back; false when there is none.</summary>
    public override bool TryReclaim()
    {
        BlockMapping* mapping = _graves;
        if (mapping == null)
        {
            return false;
        }

        BlockMapping* nextList = mapping->Previous;
        BlockMapping* next = mapping->Next;
        if (next == null)
        {
            _graves = nextList;
        }
        else
        {
            next->Previous = nextList;
            _graves = next;
        }

        if (mapping->Key != 0)
        {
            RemoveEntry(mapping->Key);
        }

        ReleaseBlock(mapping->Block);
        _mappings.Free(mapping);
        return true;
    }

    /// <summary>The reaper: gives back what is buried, a slice at a time, and waits for more. Does not return.</summary>
    public void ReapForever()
    {
        while (true)
        {
            if (ReapSlice())
            {
                Scheduler.Yield();
            }
            else
            {
                _buried.Wait();
            }
        }
    }

    /// <summary>Gives a slice back; false when nothing is left.</summary>
    private bool ReapSlice()
    {
        int blocks = 0;
        while (blocks < SliceBlocks && TryReclaim())
        {
            blocks++;
        }

        return _graves != null;
    }

    /// <summary>Buries a list of mappings that is on no space's list any more. Ends with a call of <see cref="ReapSomeNow"/>.</summary>
    private void Bury(BlockMapping* list)
    {
        list->Previous = _graves;
        _graves = list;
    }

    /// <summary>Small things go at once: nobody should wait for the reaper to see the frames of a small process again.</summary>
    private void ReapSomeNow()
    {
        if (ReapSlice())
        {
            _buried.WakeOne();
        }
    }
}
