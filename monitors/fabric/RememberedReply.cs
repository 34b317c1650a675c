// Reply bodies kept for peers over lossy links, in chains of page frames: a repeated request that must not run twice gets the same answer.

using System;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Saves, loads and frees chains.</summary>
internal static unsafe class RememberedReply
{
    private struct Link
    {
        internal Link* Next;
    }

    private static int DataBytes => PageOperations.PageSize - sizeof(Link);

    /// <summary>Keeps head and payload; null when frames ran out (or when both are empty).</summary>
    internal static void* Save(FrameAllocator frames, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        Link* first = null;
        Link* last = null;
        int total = headBytes + payloadBytes;
        for (int done = 0; done < total;)
        {
            Link* page = (Link*)frames.Allocate();
            if (page == null)
            {
                Free(frames, first);
                return null;
            }

            page->Next = null;
            if (last == null)
            {
                first = page;
            }
            else
            {
                last->Next = page;
            }

            last = page;
            byte* to = (byte*)(page + 1);
            int room = Math.Min(DataBytes, total - done);
            int fromHead = Math.Clamp(headBytes - done, 0, room);
            FrameCopy.Bytes(to, head + done, fromHead);
            FrameCopy.Bytes(to + fromHead, payload + Math.Max(0, done - headBytes), room - fromHead);
            done += room;
        }

        return first;
    }

    /// <summary>Copies a chain into one buffer.</summary>
    internal static void Load(void* chain, byte* to, int lengthBytes)
    {
        Link* page = (Link*)chain;
        for (int done = 0; done < lengthBytes; page = page->Next)
        {
            int part = Math.Min(DataBytes, lengthBytes - done);
            FrameCopy.Bytes(to + done, (byte*)(page + 1), part);
            done += part;
        }
    }

    internal static void Free(FrameAllocator frames, void* chain)
    {
        for (Link* page = (Link*)chain; page != null;)
        {
            Link* next = page->Next;
            frames.Free(page);
            page = next;
        }
    }
}
