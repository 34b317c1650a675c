// Reply bodies kept for peers over lossy links, in chains of page frames: a repeated request that must not run twice gets the same answer.
// A chain is made as long as the reply may become, before the request is executed, and cut to what the reply has become.

using System;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Makes, fills, reads and frees chains.</summary>
internal static unsafe class RememberedReply
{
    private struct Link
    {
        internal Link* Next;
    }

    private static int DataBytes => PageOperations.PageSize - sizeof(Link);

    /// <summary>A chain that takes so many bytes (more than 0); null when frames ran out.</summary>
    internal static void* Make(ReplyFrames frames, int lengthBytes)
    {
        Link* first = null;
        for (int made = 0; made < lengthBytes; made += DataBytes)
        {
            Link* page = (Link*)frames.Allocate();
            if (page == null)
            {
                Free(frames, first);
                return null;
            }

            page->Next = first;
            first = page;
        }

        return first;
    }

    /// <summary>
    /// Copies head and payload (together more than 0 bytes, and no more than the chain takes) and frees the pages behind them.
    /// </summary>
    internal static void Fill(ReplyFrames frames, void* chain, byte* head, int headBytes, byte* payload, int payloadBytes)
    {
        int total = headBytes + payloadBytes;
        Link* page = (Link*)chain;
        for (int done = 0; ; page = page->Next)
        {
            byte* to = (byte*)(page + 1);
            int room = Math.Min(DataBytes, total - done);
            int fromHead = Math.Clamp(headBytes - done, 0, room);
            FrameCopy.Bytes(to, head + done, fromHead);
            FrameCopy.Bytes(to + fromHead, payload + Math.Max(0, done - headBytes), room - fromHead);
            done += room;
            if (done == total)
            {
                break;
            }
        }

        Free(frames, page->Next);
        page->Next = null;
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

    internal static void Free(ReplyFrames frames, void* chain)
    {
        for (Link* page = (Link*)chain; page != null;)
        {
            Link* next = page->Next;
            frames.Free(page);
            page = next;
        }
    }
}
