// Which system calls the log has already been told about: one line per number and boot, however often programs ask.

using System.Runtime.CompilerServices;

namespace Lego.Processor;

/// <summary>A set of system call numbers.</summary>
public sealed class ReportedCalls
{
    private const int WordBits = 64;
    private const int TrackedNumbers = 512;

    private Words _reported;

    [InlineArray(TrackedNumbers / WordBits)]
    private struct Words
    {
        private ulong _first;
    }

    /// <summary>True the first time that a number is asked about; never for numbers beyond all that Linux has.</summary>
    public bool IsFirst(ulong number)
    {
        if (number >= TrackedNumbers)
        {
            return false;
        }

        ref ulong word = ref _reported[(int)(number / WordBits)];
        ulong bit = 1UL << (int)(number % WordBits);
        bool first = (word & bit) == 0;
        word |= bit;
        return first;
    }
}
