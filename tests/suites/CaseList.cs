// The cases of the suites image, and how they run: in order, by name, each with a leak check around it. A rack tool (or a person) chooses
// cases with filter=PREFIX on the boot line and reads the result on COM1:
//   CASE <name> passed|skipped|FAILED <microseconds>          one line per case; reasons of failures in log lines before it
//   CASES passed=N skipped=N failed=N                         the last line
// A case that leaves fewer free frames than it found is run once more: the second run shows whether it leaks or had filled a cache.

using System;
using Lego.Kernel;

namespace Lego.Suites;

/// <summary>Named cases.</summary>
public sealed unsafe class CaseList
{
    private const int MaxCases = 256;

    private readonly Entry[] _cases = new Entry[MaxCases];
    private int _count;

    private struct Entry
    {
        internal string Name;
        internal nint Run;
    }

    /// <summary>Adds a case; boot time.</summary>
    public void Add(string name, delegate*<ref Check, void> run)
    {
        _cases[_count].Name = name;
        _cases[_count].Run = (nint)run;
        _count++;
    }

    /// <summary>Runs the cases whose names begin with the filter; true when none failed.</summary>
    public bool Run(ReadOnlySpan<byte> filter, FrameAllocator frames)
    {
        uint passed = 0;
        uint skipped = 0;
        uint failed = 0;
        for (int index = 0; index < _count; index++)
        {
            if (!StartsWith(_cases[index].Name, filter))
            {
                continue;
            }

            ulong start = Clock.NowNs();
            Verdict verdict = RunOne(_cases[index], frames);
            ulong micros = (Clock.NowNs() - start) / 1000;
            passed += verdict == Verdict.Passed ? 1u : 0;
            skipped += verdict == Verdict.Skipped ? 1u : 0;
            failed += verdict == Verdict.Failed ? 1u : 0;
            string text = verdict == Verdict.Passed ? "passed" : verdict == Verdict.Skipped ? "skipped" : "FAILED";
            Print($"CASE {_cases[index].Name} {text} {micros}");
        }

        Print($"CASES passed={passed} skipped={skipped} failed={failed}");
        return failed == 0;
    }

    private static Verdict RunOne(in Entry entry, FrameAllocator frames)
    {
        Check check = default;
        check.Name = entry.Name;
        for (int attempt = 0; attempt < 2; attempt++)
        {
            ulong before = frames.FreePages;
            ((delegate*<ref Check, void>)entry.Run)(ref check);
            ulong after = frames.FreePages;
            if (after >= before || check.Verdict != Verdict.Passed)
            {
                break;
            }

            if (attempt == 1)
            {
                check.Fail($"{entry.Name}: {before - after} frames leaked");
            }
        }

        return check.Verdict;
    }

    /// <summary>A line without the prefix of log lines.</summary>
    private static void Print(ref LogLine line)
    {
        line.AppendLiteral("\n");
        LogOutput.Write(line.Text);
    }

    private static bool StartsWith(string name, ReadOnlySpan<byte> prefix)
    {
        if (prefix.Length > name.Length)
        {
            return false;
        }

        for (int index = 0; index < prefix.Length; index++)
        {
            if (name[index] != prefix[index])
            {
                return false;
            }
        }

        return true;
    }
}
