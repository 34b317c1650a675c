// Broken promises of each kind, and kept ones. ContractTests expects exactly these complaints; nothing here ever runs.

using Lego.Kernel;

namespace Lego.Tests.Refused;

/// <summary>Blocks by itself.</summary>
public sealed class Direct : PollSource
{
    public override bool Poll()
    {
        Scheduler.Yield();
        return true;
    }
}

/// <summary>Blocks in what it calls.</summary>
public sealed class Chain : PollSource
{
    private WaitQueue _queue;

    public override bool Poll() => Helper();

    private bool Helper()
    {
        _queue.Wait();
        return true;
    }
}

/// <summary>Something that an override decides.</summary>
public abstract class Actor
{
    public abstract void Act();
}

/// <summary>An override that blocks.</summary>
public sealed class Sleeper : Actor
{
    public override void Act() => Scheduler.Sleep(1);
}

/// <summary>Blocks in an override of what it calls.</summary>
public sealed class Virtual : PollSource
{
    private readonly Actor _actor = new Sleeper();

    public override bool Poll()
    {
        _actor.Act();
        return true;
    }
}

/// <summary>A policy that is known when the image is compiled.</summary>
public interface IPolicy
{
    static abstract void Act();
}

/// <summary>A policy that blocks.</summary>
public struct SleepingPolicy : IPolicy
{
    public static void Act() => Scheduler.Sleep(1);
}

/// <summary>Blocks in a type argument's method.</summary>
public sealed class Generic : PollSource
{
    public override bool Poll() => Run<SleepingPolicy>();

    private static bool Run<T>() where T : IPolicy
    {
        T.Act();
        return true;
    }
}

/// <summary>Says that it blocks, and does not.</summary>
public static class Idle
{
    [Blocks]
    public static void Rest() => Scheduler.Notify();
}

/// <summary>Makes objects.</summary>
public static class Maker
{
    [NoAllocation]
    public static object Object() => new();

    [NoAllocation]
    public static int[] Array() => Make(3);

    [NoAllocation]
    public static object Boxed(int value) => value;

    private static int[] Make(int length) => new int[length];
}

/// <summary>Keeps its promises.</summary>
public sealed class Honest : PollSource
{
    private WaitQueue _queue;

    [NoAllocation]
    public override bool Poll()
    {
        _queue.WakeAll();
        return false;
    }

    [Blocks]
    public void Rest() => _queue.Wait();
}
