// Cases about frames and slabs on the machine's own memory: what is given out is distinct, comes back, and can be had again.

using System;
using Lego.Kernel;

namespace Lego.Suites;

/// <summary>Needs no device.</summary>
public static unsafe class MemoryCases
{
    private const int SlabObjects = 1000;

    private static FrameAllocator? s_frames;
    private static Slab<Item>? s_slab;

    /// <summary>An object that fills its slot with its own address.</summary>
    private struct Item
    {
        internal Item* Self;
        internal fixed ulong Filler[12];
    }

    public static void Register(CaseList cases, FrameAllocator frames)
    {
        s_frames = frames;
        s_slab = new Slab<Item>(frames, SlabObjects);
        cases.Add("memory.all-frames-can-be-had-and-given-back", &AllFrames);
        cases.Add("memory.contiguous-runs-do-not-overlap", &ContiguousRuns);
        cases.Add("memory.cleared-frames-are-zero", &ClearedFrames);
        cases.Add("memory.slab-objects-are-zeroed-and-distinct", &SlabObjectsAreDistinct);
        cases.Add("memory.slab-keeps-its-limit", &SlabKeepsItsLimit);
    }

    private static void AllFrames(ref Check check)
    {
        ulong before = s_frames!.FreePages;
        ulong count = 0;
        void* last = null;
        for (void* frame = s_frames.Allocate(); frame != null; frame = s_frames.Allocate())
        {
            *(void**)frame = last;
            last = frame;
            count++;
        }

        check.Equal(before, count, "frames given out");
        check.Equal(0, s_frames.FreePages, "frames left");
        while (last != null)
        {
            void* next = *(void**)last;
            s_frames.Free(last);
            last = next;
        }

        check.Equal(before, s_frames.FreePages, "frames free again");
    }

    private static void ContiguousRuns(ref Check check)
    {
        const ulong Pages = 300;
        using Scratch first = new(s_frames!, Pages);
        using Scratch second = new(s_frames!, Pages);
        if (!check.That(first.Start != null && second.Start != null, "there is room for two runs"))
        {
            return;
        }

        first.Fill(1, 0, first.LengthBytes);
        second.Fill(2, 0, second.LengthBytes);
        check.That(first.Holds(1, 0, first.LengthBytes) && second.Holds(2, 0, second.LengthBytes), "each run keeps its bytes");
    }

    private static void ClearedFrames(ref Check check)
    {
        void* dirty = s_frames!.Allocate();
        new Span<byte>(dirty, PageOperations.PageSize).Fill(0xFF);
        s_frames.Free(dirty);
        void* frame = s_frames.AllocateCleared();
        ulong sum = 0;
        for (int index = 0; index < PageOperations.PageSize / sizeof(ulong); index++)
        {
            sum |= ((ulong*)frame)[index];
        }

        s_frames.Free(frame);
        check.Equal(0, sum, "the union of all words");
    }

    private static void SlabObjectsAreDistinct(ref Check check)
    {
        using Scratch scratch = new(s_frames!, (SlabObjects * sizeof(ulong) / PageOperations.PageSize) + 1);
        Item** items = (Item**)scratch.Start;
        for (int index = 0; index < SlabObjects; index++)
        {
            items[index] = s_slab!.Allocate();
            if (!check.That(items[index] != null && items[index]->Self == null && items[index]->Filler[11] == 0, "an object is zeroed"))
            {
                return;
            }

            items[index]->Self = items[index];
            items[index]->Filler[11] = (ulong)index;
        }

        bool intact = true;
        for (int index = 0; index < SlabObjects; index++)
        {
            intact &= items[index]->Self == items[index] && items[index]->Filler[11] == (ulong)index;
            s_slab!.Free(items[index]);
        }

        check.That(intact, "no two objects overlap");
        check.Equal(0, s_slab!.InUse, "objects in use at the end");
    }

    private static void SlabKeepsItsLimit(ref Check check)
    {
        Item* chain = null;
        ulong count = 0;
        for (Item* item = s_slab!.Allocate(); item != null; item = s_slab.Allocate())
        {
            item->Self = chain;
            chain = item;
            count++;
        }

        check.Equal(SlabObjects, count, "objects given out");
        while (chain != null)
        {
            Item* next = chain->Self;
            s_slab.Free(chain);
            chain = next;
        }
    }
}
