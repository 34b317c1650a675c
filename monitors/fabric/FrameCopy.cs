// Copies of the hot path. A message is a 64-byte header, a request of a few dozen bytes and at most some pages: each size has its own
// cheapest way (a rep movs costs tens of nanoseconds to start under emulation, a page copy has a routine chosen at boot).

using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Copies by size.</summary>
internal static unsafe class FrameCopy
{
    /// <summary>Up to here a loop of words beats a string instruction.</summary>
    private const int WordLoopBytes = 160;

    /// <summary>Copies bytes that do not overlap.</summary>
    internal static void Bytes(byte* destination, byte* source, int lengthBytes)
    {
        if (lengthBytes == PageOperations.PageSize && (((nuint)destination | (nuint)source) & 7) == 0)
        {
            PageOperations.Copy(destination, source);
        }
        else if (lengthBytes > WordLoopBytes)
        {
            PageOperations.CopyBytes(destination, source, (ulong)lengthBytes);
        }
        else
        {
            int done = 0;
            for (; done + sizeof(ulong) <= lengthBytes; done += sizeof(ulong))
            {
                Unsafe.WriteUnaligned(destination + done, Unsafe.ReadUnaligned<ulong>(source + done));
            }

            for (; done < lengthBytes; done++)
            {
                destination[done] = source[done];
            }
        }
    }

    /// <summary>Copies a message header; both 8-aligned.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Header(byte* destination, byte* source)
    {
        ulong* to = (ulong*)destination;
        ulong* from = (ulong*)source;
        to[0] = from[0];
        to[1] = from[1];
        to[2] = from[2];
        to[3] = from[3];
        to[4] = from[4];
        to[5] = from[5];
        to[6] = from[6];
        to[7] = from[7];
    }
}
