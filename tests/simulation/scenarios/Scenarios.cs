// All scenarios. A seed's scenario is its remainder by their number, unless one is named.

using System.Linq;

namespace Lego.Simulation;

/// <summary>The list.</summary>
internal static class Scenarios
{
    private static readonly Scenario[] s_all =
    [
        new FirstSteps("first-steps", 0),
        new ConcurrentFiles("files"),
        new ConcurrentFiles("appends", FileStep.OpenAppend, FileStep.Write, FileStep.Write, FileStep.Truncate, FileStep.Allocate,
            FileStep.Allocate,
            FileStep.Size, FileStep.ReadAt, FileStep.Sync),
        new ConcurrentFiles(
            "overwrites", FileStep.OpenCreate, FileStep.WriteAt, FileStep.WriteAt, FileStep.WriteAt, FileStep.WriteAt, FileStep.Write,
            FileStep.ReadAt,
            FileStep.ReadAt, FileStep.ReadAt, FileStep.Truncate, FileStep.Size, FileStep.Sync, FileStep.Close) { MostSteps = 24 },
        new ConcurrentFiles("replaces", FileStep.OpenCreate, FileStep.OpenCreate, FileStep.Open, FileStep.Close, FileStep.Rename,
            FileStep.Rename,
            FileStep.Write, FileStep.Size),
        new ConcurrentMemory("memory", 0),
        new ConcurrentMemory(
            "forks", 0, MemoryStep.Map, MemoryStep.Map, MemoryStep.Store, MemoryStep.Store, MemoryStep.Store, MemoryStep.Load,
            MemoryStep.ForkBoth,
            MemoryStep.ForkBoth, MemoryStep.Crowd, MemoryStep.Crowd, MemoryStep.Unmap, MemoryStep.Discard, MemoryStep.Move,
            MemoryStep.Execute),
        new ProcessTrees(),
        new KilledVforkParent(),
        new StrangersDescriptors(),
        new ReadArguments(),
        new PollingPartners(),
        new FlushedTerminal(),
        new PausedReader(),
        new StoppedMachines(),
        new DurableFsync(),
        new CrowdedFileCache(),
        new SmallFrames(),
        new FirstSteps("two-memories", 1),
        new ConcurrentFiles("two-memories-files") { MoreMemories = 1 },
        new ConcurrentMemory("two-memories-spaces", 1),
        new ConcurrentMemory("three-memories-spaces", 2),
        new ConcurrentMemory(
            "three-memories-forks", 2, MemoryStep.Map, MemoryStep.Map, MemoryStep.Store, MemoryStep.Store, MemoryStep.Store,
            MemoryStep.Load, MemoryStep.ForkBoth, MemoryStep.ForkBoth, MemoryStep.Crowd, MemoryStep.Crowd, MemoryStep.Unmap,
            MemoryStep.Discard, MemoryStep.Move, MemoryStep.Move, MemoryStep.Execute),
        new ConcurrentMemory("drains", 2) { Drains = true },
        new ConcurrentMemory(
            "drains-forks", 3, MemoryStep.Map, MemoryStep.Map, MemoryStep.Store, MemoryStep.Store, MemoryStep.Store,
            MemoryStep.Load, MemoryStep.ForkBoth, MemoryStep.ForkBoth, MemoryStep.Crowd, MemoryStep.Crowd, MemoryStep.Unmap,
            MemoryStep.Discard, MemoryStep.Move, MemoryStep.Execute) { Drains = true },
        new MappedFiles("mapped-files", 0),
        new MappedFiles("two-processors-mapped-files", 1),
        new ThreadsOnOneMap(),
        new SharedObjects(),
        new ConcurrentFiles("two-processors-files") { MoreProcessors = 1 },
        new ConcurrentFiles(
            "two-processors-names", FileStep.OpenCreate, FileStep.OpenExclusive, FileStep.Open, FileStep.Open, FileStep.Close,
            FileStep.Close,
            FileStep.Rename, FileStep.Unlink, FileStep.Unlink, FileStep.Write, FileStep.Size, FileStep.Size) { MoreProcessors = 1 },
        new CutLink(),
        new LostProcessor(),
        new LostOwner("lost-owner", 0),
        new LostOwner("two-processors-lost-owner", 1),
        new LostDrain(),
        new LostManager(),
        new TwoVNodes(),
    ];

    internal static Scenario Of(ulong seed) => s_all[seed % (ulong)s_all.Length];

    /// <summary>Null when there is none of that name.</summary>
    internal static Scenario? Named(string name) => s_all.FirstOrDefault(scenario => scenario.Name == name);

    internal static string Names => string.Join(", ", s_all.Select(scenario => scenario.Name));
}
