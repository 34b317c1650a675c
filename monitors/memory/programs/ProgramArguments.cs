// The strings that execve(2) hands to a new program: the file's name, arguments and environment. Each list is a block of NUL-terminated
// strings, just as it came in the message and as it will lie on the stack.

using System;

namespace Lego.Memory;

/// <summary>Strings of one program; spans into the request.</summary>
internal readonly ref struct ProgramArguments
{
    private ProgramArguments(ReadOnlySpan<byte> fileName, ReadOnlySpan<byte> arguments, uint argumentCount, ReadOnlySpan<byte> environment,
        uint environmentCount)
    {
        FileName = fileName;
        Arguments = arguments;
        ArgumentCount = argumentCount;
        Environment = environment;
        EnvironmentCount = environmentCount;
    }

    /// <summary>AT_EXECFN with its terminator: what the program called the file.</summary>
    internal ReadOnlySpan<byte> FileName { get; }

    internal ReadOnlySpan<byte> Arguments { get; }

    internal uint ArgumentCount { get; }

    internal ReadOnlySpan<byte> Environment { get; }

    internal uint EnvironmentCount { get; }

    /// <summary>Bytes of all strings, terminators included.</summary>
    internal ulong StringBytes => (ulong)Arguments.Length + (ulong)Environment.Length + (ulong)FileName.Length;

    /// <summary>Takes the strings of an Execute request apart; false when there are fewer than announced.</summary>
    internal static bool TryParse(ReadOnlySpan<byte> strings, uint argumentCount, uint environmentCount, out ProgramArguments words)
    {
        words = default;
        if (!TrySplit(strings, 1, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> rest)
            || !TrySplit(rest, argumentCount, out ReadOnlySpan<byte> arguments, out rest)
            || !TrySplit(rest, environmentCount, out ReadOnlySpan<byte> environment, out _))
        {
            return false;
        }

        words = new ProgramArguments(name, arguments, argumentCount, environment, environmentCount);
        return true;
    }

    /// <summary>Splits a block behind its first <paramref name="count"/> strings.</summary>
    private static bool TrySplit(ReadOnlySpan<byte> block, uint count, out ReadOnlySpan<byte> first, out ReadOnlySpan<byte> rest)
    {
        int end = 0;
        for (uint found = 0; found < count; found++)
        {
            while (end < block.Length && block[end] != 0)
            {
                end++;
            }

            if (end == block.Length)
            {
                first = default;
                rest = default;
                return false;
            }

            end++;
        }

        first = block.Slice(0, end);
        rest = block.Slice(end);
        return true;
    }
}
