// Some programs open, write, read, truncate, rename and remove the same few files at once. Every result must be explained by Linux's
// semantics in some order of the calls, and afterwards nothing may be left: no open file, no node, no inode.

using System;
using System.Linq;
using CsCheck;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Random file operations of up to three programs against a model.</summary>
internal sealed class ConcurrentFiles(string name, params FileStep[] kinds) : Scenario
{
    /// <summary>Memory components besides the first one.</summary>
    internal int MoreMemories { get; init; }

    /// <summary>Processor components besides the first one: then what each remembers of the files is at stake.</summary>
    internal int MoreProcessors { get; init; }

    /// <summary>Most steps of a program.</summary>
    internal int MostSteps { get; init; } = 9;

    internal override string Name => name;

    internal override RackOptions Options(Choices choices) => RackOptions.Any(choices) with
    {
        MoreMemories = MoreMemories,
        MoreProcessors = MoreProcessors,
    };

    /// <summary>Without kinds: all of them.</summary>
    internal override Gen<Step[][]> Plans => kinds.Length == 0
        ? RandomPlans.Programs(FileModel.Kinds, 2, 3, 2, MostSteps)
        : RandomPlans.Programs([.. kinds.Select(kind => (int)kind)], 2, 3, 2, MostSteps);

    internal override string Describe(Step step) => FileModel.Describe(step);

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        History history = new();
        for (int index = 0; index < plan.Length; index++)
        {
            int number = index;
            rack.Simulation.Code.SetProgram(index, program => new FileUser(program, history, number).Play(plan[number]));
        }

        ushort[] sessions = [.. plan.Select((_, index) => rack.Start(index))];
        foreach (ushort session in sessions)
        {
            Check.Equal(0u, rack.AwaitExit(session), "wait status");
        }

        // A last program sees what is left, and takes it away.
        rack.Simulation.Code.SetProgram(plan.Length, program =>
        {
            FileUser user = new(program, history, plan.Length);
            for (int name = 0; name < FileModel.Names; name++)
            {
                user.Do(new Step((int)FileStep.Open, 0, name, 0));
                user.Do(new Step((int)FileStep.Size, 0, 0, 0));
                for (int page = 0; page < FileModel.Pages; page++)
                {
                    user.Do(new Step((int)FileStep.ReadAt, 0, page, 0));
                }

                user.Do(new Step((int)FileStep.Unlink, 0, name, 0));
                user.Do(new Step((int)FileStep.Close, 0, 0, 0));
            }
        });
        Check.Equal(0u, rack.AwaitExit(rack.Start(plan.Length)), "wait status of the last program");
        history.Check(new FileModel(plan.Length + 1));
        resources.AreBack();
    }

    /// <summary>Plays steps as system calls and writes the results down.</summary>
    private sealed class FileUser(UserProgram program, History history, int number)
    {
        private readonly long[] _descriptors = [.. Enumerable.Repeat(-1L, FileModel.Slots)];

        internal void Play(Step[] steps)
        {
            foreach (Step step in steps)
            {
                Do(step);
            }
        }

        internal void Do(Step step)
        {
            HistoryCall call = history.Begin(number, step, FileModel.Describe(step));
            call.Result = Perform(step, call);
            history.End(call);
        }

        private long Perform(Step step, HistoryCall call)
        {
            ref long slot = ref _descriptors[FileModel.SlotOf(step)];
            FileStep kind = (FileStep)step.Kind;
            int flags = kind switch
            {
                FileStep.Open => UserProgram.ReadWrite,
                FileStep.OpenCreate => UserProgram.ReadWrite | UserProgram.Create,
                FileStep.OpenTruncate => UserProgram.ReadWrite | UserProgram.Create | UserProgram.Truncates,
                FileStep.OpenExclusive => UserProgram.ReadWrite | UserProgram.Create | UserProgram.Exclusive,
                _ => UserProgram.ReadWrite | UserProgram.Create | UserProgram.Appends,
            };
            switch (kind)
            {
                case FileStep.Open:
                case FileStep.OpenCreate:
                case FileStep.OpenTruncate:
                case FileStep.OpenExclusive:
                case FileStep.OpenAppend:
                    if (slot >= 0)
                    {
                        return -(long)Errno.EBUSY;
                    }

                    long opened = program.Open(PathOf(FileModel.NameOf(step)), flags);
                    slot = opened >= 0 ? opened : -1;
                    return Math.Min(opened, 0);
                case FileStep.Unlink:
                    return program.Unlink(PathOf(FileModel.NameOf(step)));
                case FileStep.Rename:
                    return program.Rename(PathOf(FileModel.NameOf(step)), PathOf(FileModel.SecondNameOf(step)));
            }

            if (slot < 0)
            {
                return -(long)Errno.EBADF;
            }

            byte[] bytes = new byte[FileModel.CountOf(step) * FileModel.GranuleBytes];
            bytes.AsSpan().Fill(FileModel.ValueOf(step));
            ulong offset = (ulong)(FileModel.OffsetOf(step) * FileModel.GranuleBytes);
            switch (kind)
            {
                case FileStep.Close:
                    long closed = program.Close(slot);
                    slot = -1;
                    return closed;
                case FileStep.WriteAt:
                    return program.WriteAt(slot, offset, bytes);
                case FileStep.Write:
                    return program.Write(slot, bytes);
                case FileStep.ReadAt:
                    long read = program.ReadAt(slot, (ulong)FileModel.PageOf(step) * 4096, 4096, out byte[] found);
                    call.Bytes = Granules(found);
                    return read;
                case FileStep.Truncate:
                    return program.Truncate(slot, offset);
                case FileStep.Allocate:
                    return program.Allocate(slot, offset, (ulong)bytes.Length);
                case FileStep.Size:
                    return program.SizeOf(slot);
                default:
                    return program.Synchronize(slot);
            }
        }

        private static string PathOf(int name) => $"/tmp/f{name}";

        private static byte[] Granules(byte[] bytes)
        {
            Check.Equal(0, bytes.Length % FileModel.GranuleBytes, "a read's length in granules");
            byte[] granules = new byte[bytes.Length / FileModel.GranuleBytes];
            for (int index = 0; index < granules.Length; index++)
            {
                ReadOnlySpan<byte> granule = bytes.AsSpan(index * FileModel.GranuleBytes, FileModel.GranuleBytes);
                Check.That(granule.IndexOfAnyExcept(granule[0]) < 0, $"granule {index} of a read is torn");
                granules[index] = granule[0];
            }

            return granules;
        }
    }
}
