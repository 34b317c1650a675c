// Runs the stages of `./lego test` side by side, in two lanes: the stages on machines one after the other at their own pace, and beside
// them the stages of this host alone with the time that machines leave, which wait for most of theirs. On a host that others keep busy
// nothing is left: there the lanes run one after the other, and a stage that has lost its time when the machines are done begins anew with
// a fair share.

using System;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>Both lanes.</summary>
internal static class TestLanes
{
    /// <summary>Runs all stages.</summary>
    public static async Task<TestCount> RunAsync(TestWish wish, CancellationToken cancellation)
    {
        using CancellationTokenSource stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        bool isBusy = HostSpeed.IsBusy;
        Task<TestCount> machines = RunLaneAsync(
            TestStage.OnMachines, stage => TestStage.RunAsync(stage, wish, Share.Fair, stop.Token), stop);
        if (isBusy)
        {
            await machines;
        }

        Task<TestCount> host = RunLaneAsync(TestStage.OnHost, stage => RunBesideAsync(machines, stage, wish, stop.Token), stop);
        TestCount total = new();
        foreach (TestCount count in await Task.WhenAll(machines, host))
        {
            total.Add(count);
        }

        return total;
    }

    /// <summary>One stage after the other; what ends this lane ends the other one as well.</summary>
    private static async Task<TestCount> RunLaneAsync(string[] stages, Func<string, Task<TestCount>> run, CancellationTokenSource stop)
    {
        TestCount total = new();
        try
        {
            foreach (string stage in stages)
            {
                total.Add(await run(stage));
            }
        }
        catch
        {
            await stop.CancelAsync();
            throw;
        }

        return total;
    }

    private static async Task<TestCount> RunBesideAsync(Task machines, string stage, TestWish wish, CancellationToken cancellation)
    {
        if (machines.IsCompleted)
        {
            return await TestStage.RunAsync(stage, wish, Share.Fair, cancellation);
        }

        using CancellationTokenSource anew = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        Task<TestCount> beside = TestStage.RunAsync(stage, wish, Share.Leftover, anew.Token);
        await Task.WhenAny(beside, machines);
        if (beside.IsCompleted || !HostSpeed.IsBusy)
        {
            return await beside;
        }

        await anew.CancelAsync();
        await ((Task)beside).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellation.ThrowIfCancellationRequested();
        return await TestStage.RunAsync(stage, wish, Share.Fair, cancellation);
    }
}
