// In place of kernel/machine's: makes the objects of one node at the beginning of the memory that it is given, as an image makes those of a
// machine at boot, and gives the rest of that part back as frames. Afterwards nothing is allocated but frames.

using System.Runtime;
using System.Runtime.CompilerServices;
using Lego.NetStack;

namespace Lego.Kernel;

/// <summary>Brings a node up.</summary>
public static unsafe class Startup
{
    private const ulong StaticsBytes = 65536;
    private const ulong ObjectPages = 128;

    private static bool s_hasStatics;
    private static FrameAllocator? s_frames;

    /// <summary>The frames of the node that is being made.</summary>
    public static FrameAllocator Frames => s_frames!;

    /// <summary>
    /// A node in a block of pages: null when there are too few. Its address is a name for it: objects neither move nor go away before the
    /// block does.
    /// </summary>
    public static Node? Make(void* memory, ulong pages, ulong hardwareAddress, int mtuBytes, ulong seed, ulong nowNs)
    {
        if (pages < Node.LeastPages)
        {
            return null;
        }

        if (!s_hasStatics)
        {
            ManagedHeap.Use(StaticsArena(), StaticsBytes);
            ManagedStatics.Initialize();
            s_hasStatics = true;
        }

        ManagedHeap.Use(memory, ObjectPages * PageOperations.PageSize);
        s_frames = new FrameAllocator(memory, pages, ObjectPages);
        Node node = new(s_frames, hardwareAddress, mtuBytes, seed, nowNs);
        ManagedHeap.Seal();
        return node;
    }

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("StaticsArena")]
    private static extern void* StaticsArena();
}
