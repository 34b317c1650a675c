// Linearizability (Herlihy and Wing, 1990) of what several programs did: is there an order of all calls, in which each lies between its
// start and its end, that a model explains with the very results that were seen? A search over such orders (Wing and Gong, 1993), with
// states seen before left out. Where Linux does a call in several atomic pieces, the model says so, and each piece has a place of its own.

using System;
using System.Collections.Generic;
using System.Linq;

namespace Lego.Simulation;

/// <summary>A state of a model that can be copied.</summary>
internal interface IModel<T> where T : IModel<T>
{
    /// <summary>The pieces of a call that happen at once each: calls of others may come between them.</summary>
    static abstract IEnumerable<HistoryCall> PiecesOf(HistoryCall call);

    T Copy();

    /// <summary>Makes a step; null: what it must give in this state, else why the result that was seen is wrong.</summary>
    bool Explains(HistoryCall call);

    /// <summary>Equal for equal states.</summary>
    string Key { get; }
}

/// <summary>A call with its result.</summary>
internal sealed record HistoryCall(int Program, Step Step, int Start, string Name)
{
    internal int End = int.MaxValue;
    internal long Result;
    internal byte[] Bytes = [];

    public override string ToString() => $"[{Start,3}..{End,3}] program {Program}: {Name} = {Result}"
        + (Bytes.Length > 0 ? $" ({string.Join(' ', Bytes.Take(64))})" : "");
}

/// <summary>The calls of a run in the order of their starts.</summary>
internal sealed class History
{
    private readonly List<HistoryCall> _calls = [];
    private int _clock;

    internal HistoryCall Begin(int program, Step step, string name)
    {
        HistoryCall call = new(program, step, _clock++, name);
        _calls.Add(call);
        return call;
    }

    internal void End(HistoryCall call) => call.End = _clock++;

    /// <summary>Throws when no order explains the results.</summary>
    internal void Check<T>(T initial) where T : IModel<T>
    {
        List<HistoryCall>[] programs =
            [.. _calls.GroupBy(call => call.Program).OrderBy(group => group.Key).Select(group => group.SelectMany(T.PiecesOf).ToList())];
        HashSet<string> seen = [];
        int furthest = 0;
        if (!Search(initial, programs, new int[programs.Length], seen, ref furthest))
        {
            throw new CheckFailed(
                $"no order of the calls explains their results ({furthest} of {programs.Sum(calls => calls.Count)} steps can be ordered):\n"
                + string.Join('\n', _calls.Select(call => "    " + call)));
        }
    }

    private static bool Search<T>(T state, List<HistoryCall>[] programs, int[] next, HashSet<string> seen, ref int furthest) where T
        : IModel<T>
    {
        furthest = Math.Max(furthest, next.Sum());
        int firstEnd = int.MaxValue;
        bool isDone = true;
        for (int program = 0; program < programs.Length; program++)
        {
            if (next[program] < programs[program].Count)
            {
                isDone = false;
                firstEnd = Math.Min(firstEnd, programs[program][next[program]].End);
            }
        }

        if (isDone)
        {
            return true;
        }

        if (!seen.Add(string.Join(',', next) + "|" + state.Key))
        {
            return false;
        }

        for (int program = 0; program < programs.Length; program++)
        {
            if (next[program] == programs[program].Count)
            {
                continue;
            }

            HistoryCall call = programs[program][next[program]];
            if (call.Start > firstEnd)
            {
                continue;
            }

            T after = state.Copy();
            if (!after.Explains(call))
            {
                continue;
            }

            next[program]++;
            if (Search(after, programs, next, seen, ref furthest))
            {
                return true;
            }

            next[program]--;
        }

        return false;
    }
}
