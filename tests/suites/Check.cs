// What a case says about itself: it failed (and the first reason why), or it could not be tried on this machine. Passed by reference.

using System;
using Lego.Kernel;

namespace Lego.Suites;

public enum Verdict : byte { Passed, Skipped, Failed }

/// <summary>The outcome of one case so far.</summary>
public struct Check
{
    public Verdict Verdict;

    /// <summary>The line in which the case stands: its name.</summary>
    public string Name;

    /// <summary>Records a failure unless the condition holds; returns the condition, so that a case can stop.</summary>
    public bool That(bool condition, string what)
    {
        if (!condition)
        {
            Fail($"{Name}: {what}");
        }

        return condition;
    }

    public bool Equal(ulong expected, ulong actual, string what)
    {
        if (expected != actual)
        {
            Fail($"{Name}: {what} is {actual}, not {expected}");
        }

        return expected == actual;
    }

    public bool Succeeded(Errno error, string what) => Equal((ulong)Errno.None, (ulong)error, what);

    /// <summary>The machine lacks what the case needs.</summary>
    public void Skip(string why)
    {
        Log.Info($"{Name}: {why}");
        Verdict = Verdict.Skipped;
    }

    public void Fail(ref LogLine reason)
    {
        Log.Error(ref reason);
        Verdict = Verdict.Failed;
    }
}
