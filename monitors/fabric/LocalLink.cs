// Links between monitors of one image (solo) and between endpoints of a host test: a ring link over ordinary memory, without a doorbell,
// because whoever waits polls both ends. The messages and their copies are the same as between machines, so that solo differs from a rack
// in distance only.

using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Makes both ends of an in-memory link.</summary>
public static unsafe class LocalLink
{
    /// <summary>Memory of one pair: a page of header and two rings of 512 KB.</summary>
    public const ulong RegionPages = 1 + (2 * 128);

    /// <summary>Joins two nodes; boot time. ENOMEM when no contiguous run of frames is left.</summary>
    public static Errno CreatePair(FrameAllocator frames, ushort lowNode, ushort highNode, out RingLink? low, out RingLink? high)
    {
        low = null;
        high = null;
        byte* memory = (byte*)frames.AllocateContiguous(RegionPages);
        if (memory == null)
        {
            return Errno.ENOMEM;
        }

        for (ulong page = 0; page < RegionPages; page++)
        {
            PageOperations.Clear(memory + (page * PageOperations.PageSize));
        }

        SharedRegion region = new(memory, RegionPages * PageOperations.PageSize);
        RingLink.Format(region, lowNode, highNode);
        Errno error = RingLink.Open(region, lowNode, null, LinkTraits.SameMachine, out low);
        return error != Errno.None ? error : RingLink.Open(region, highNode, null, LinkTraits.SameMachine, out high);
    }
}
