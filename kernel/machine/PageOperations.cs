// Copying and clearing pages, the kernel's most frequent bulk work. Which routine is fastest differs by a factor of seven between an
// emulated and a real CPU, so start-up measures the candidates (Instructions.S) and keeps the best.

using System.Runtime;
using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>Bulk memory routines, chosen at boot.</summary>
public static unsafe class PageOperations
{
    public const int PageSize = 4096;

    /// <summary>From this length on a call of the chosen routine beats a simple loop.</summary>
    internal const nuint LargeCopyBytes = 128;

    private const ulong WordsPerPage = PageSize / sizeof(ulong);
    private const ulong UnrolledBytes = 64;
    private const int MeasuredRounds = 32;

    private enum CopyRoutine
    {
        StringWords,
        StringBytes,
        Unrolled,
    }

    private static CopyRoutine s_copy;
    private static bool s_clearsUnrolled;

    /// <summary>Name of the routine in use, for the log.</summary>
    public static string CopyRoutineName => s_copy switch
    {
        CopyRoutine.StringWords => "rep movsq",
        CopyRoutine.StringBytes => "rep movsb",
        _ => "unrolled moves",
    };

    /// <summary>Copies one page; both addresses are page-aligned or at least 8-aligned.</summary>
    public static void Copy(void* destination, void* source) => CopyWords(destination, source, WordsPerPage);

    /// <summary>Zeroes one page.</summary>
    public static void Clear(void* page)
    {
        if (s_clearsUnrolled)
        {
            ClearWordsUnrolled(page, WordsPerPage);
        }
        else
        {
            ClearWordsString(page, WordsPerPage);
        }
    }

    /// <summary>Copies forward; the ranges do not overlap.</summary>
    public static void CopyBytes(void* destination, void* source, ulong lengthBytes)
    {
        if (lengthBytes < UnrolledBytes)
        {
            CopyFew((byte*)destination, (byte*)source, lengthBytes);
        }
        else
        {
            CopyMany((byte*)destination, (byte*)source, lengthBytes);
        }
    }

    /// <summary>All that the chosen routine can copy, and the rest.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CopyMany(byte* to, byte* from, ulong lengthBytes)
    {
        ulong rest = lengthBytes % (s_copy == CopyRoutine.Unrolled ? UnrolledBytes : sizeof(ulong));
        ulong bulk = lengthBytes - rest;
        CopyWords(to, from, bulk / sizeof(ulong));
        CopyFew(to + bulk, from + bulk, rest);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyFew(byte* to, byte* from, ulong lengthBytes)
    {
        for (; lengthBytes >= sizeof(ulong); lengthBytes -= sizeof(ulong))
        {
            *(ulong*)to = *(ulong*)from;
            to += sizeof(ulong);
            from += sizeof(ulong);
        }

        for (; lengthBytes > 0; lengthBytes--)
        {
            *to++ = *from++;
        }
    }

    /// <summary>Measures the candidates on two scratch pages; boot time.</summary>
    internal static void ChooseRoutines(void* scratchA, void* scratchB)
    {
        ulong best = ulong.MaxValue;
        CopyRoutine winner = CopyRoutine.StringWords;
        for (CopyRoutine candidate = CopyRoutine.StringWords; candidate <= CopyRoutine.Unrolled; candidate++)
        {
            s_copy = candidate;
            ulong fastest = ulong.MaxValue;
            for (int round = 0; round < MeasuredRounds; round++)
            {
                ulong start = Cpu.Timestamp();
                Copy(scratchA, scratchB);
                ulong ticks = Cpu.Timestamp() - start;
                fastest = ticks < fastest ? ticks : fastest;
            }

            if (fastest < best)
            {
                best = fastest;
                winner = candidate;
            }
        }

        s_copy = winner;

        s_clearsUnrolled = false;
        ulong stringTicks = FastestClear(scratchA);
        s_clearsUnrolled = true;
        s_clearsUnrolled = FastestClear(scratchA) < stringTicks;
    }

    private static ulong FastestClear(void* scratch)
    {
        ulong fastest = ulong.MaxValue;
        for (int round = 0; round < MeasuredRounds; round++)
        {
            ulong start = Cpu.Timestamp();
            Clear(scratch);
            ulong ticks = Cpu.Timestamp() - start;
            fastest = ticks < fastest ? ticks : fastest;
        }

        return fastest;
    }

    private static void CopyWords(void* destination, void* source, ulong words)
    {
        switch (s_copy)
        {
            case CopyRoutine.StringWords:
                CopyWordsString(destination, source, words);
                break;
            case CopyRoutine.StringBytes:
                CopyBytesString(destination, source, words);
                break;
            default:
                CopyWordsUnrolled(destination, source, words);
                break;
        }
    }

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CopyWordsString")]
    private static extern void CopyWordsString(void* destination, void* source, ulong words);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CopyBytesString")]
    private static extern void CopyBytesString(void* destination, void* source, ulong words);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("CopyWordsUnrolled")]
    private static extern void CopyWordsUnrolled(void* destination, void* source, ulong words);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("ClearWordsString")]
    private static extern void ClearWordsString(void* destination, ulong words);

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("ClearWordsUnrolled")]
    private static extern void ClearWordsUnrolled(void* destination, ulong words);
}
