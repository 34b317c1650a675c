// Host stand-in until kernel/threads brings its own PollSource and Poller.

using System;
using System.Collections.Generic;

namespace Lego.Kernel;

/// <summary>Something that makes progress when it is polled.</summary>
public abstract class PollSource
{
    public abstract bool Poll();

    public virtual void ArmWakeup()
    {
    }

    public virtual void DisarmWakeup()
    {
    }
}

/// <summary>All registered sources of this test's thread.</summary>
public static class Poller
{
    [ThreadStatic]
    private static List<PollSource>? _sources;

    public static void Register(PollSource source) => (_sources ??= []).Add(source);

    /// <summary>Forget all sources; tests call it between cases.</summary>
    public static void Reset() => _sources = null;

    /// <summary>A host test never sleeps, so nothing is ever armed.</summary>
    public static bool IsArmed => false;

    public static void Suspend()
    {
    }

    public static bool Resume() => false;

    public static bool PollAll()
    {
        bool progress = false;
        // A source may register another one.
        for (int index = 0; index < (_sources?.Count ?? 0); index++)
        {
            progress |= _sources![index].Poll();
        }

        return progress;
    }
}
