// Programs fork, vfork, start threads, exec, wait, sleep, block in pipes, stop and signal each other, until somebody kills them all.
// Whatever a process waits for, SIGKILL ends it, nobody escapes, and nothing is left.

using System;
using System.Collections.Generic;
using System.Linq;
using CsCheck;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Operations of the process scenario.</summary>
internal enum ProcessStep
{
    Fork,
    VFork,
    VForkAndExecute,
    Execute,
    Signal,
    Sleep,
    Pause,
    ReadPipe,
    WritePipe,
    Wait,
    NewGroup,
    RobustList,
    Touch,
    OpenFifo,
    Thread,
    EndThread,
    Kinds,
}

/// <summary>Random process trees and a kill of all.</summary>
internal sealed class ProcessTrees : Scenario
{
    private const int BufferPages = UserProgram.BufferBytes >> 12;
    private const int Cleaner = 5;
    private const int Idler = 6;
    private const int Killer = 7;
    private const int SigKill = 9;
    private const ulong MostLifeNs = 30_000_000;
    /// <summary>Time that a kill may take: nothing a process waits for lasts long but programs, and those are killed too.</summary>
    private const ulong MostDyingNs = 2_000_000_000;
    private const int MostDepth = 3;
    private const int MostProcesses = 40;

    private const string Fifo = "/tmp/fifo";

    private static readonly int[] s_signals = [10, 15, 18, 19, 17, 14, 23, 9];

    internal override string Name => "processes";

    internal override Gen<Step[][]> Plans => RandomPlans.Programs((int)ProcessStep.Kinds, 1, 3, 2, 8);

    internal override string Describe(Step step) => (ProcessStep)step.Kind switch
    {
        ProcessStep.Signal => $"kill({step.A - 3}, {s_signals[step.B % s_signals.Length]})",
        ProcessStep.Sleep => $"sleep({step.A})",
        _ => $"{(ProcessStep)step.Kind}({step.A})",
    };

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        CodeSpace code = rack.Simulation.Code;
        code.SetProgram(Idler, program => program.Pause());
        code.SetProgram(Cleaner, program => program.Unlink(Fifo));
        code.SetProgram(Killer, program =>
        {
            // ESRCH: all have ended by themselves.
            long result = program.Kill(-1, SigKill);
            Check.That(result is 0 or -(long)Errno.ESRCH, $"kill(-1, SIGKILL): {result}");
        });
        Population population = new();
        for (int index = 0; index < plan.Length; index++)
        {
            Step[] steps = plan[index];
            code.SetProgram(index, program => Play(program, steps, 0, population));
        }

        List<ushort> sessions = [.. plan.Select((_, index) => rack.Start(index))];
        // All have started: a program that the killer cannot see yet would live on, and rightly.
        foreach (ushort session in sessions)
        {
            rack.AwaitStart(session);
        }

        Scheduler.Sleep((ulong)choices.Next((int)MostLifeNs));
        // The programs may kill or stop the killer, whose number they guess; one that is stopped is for the next one to kill.
        uint? status = null;
        while (status != 0)
        {
            ushort killer = rack.Start(Killer);
            rack.AwaitStart(killer);
            status = rack.TryAwaitEnd(killer, MostDyingNs);
            if (status is null)
            {
                sessions.Add(killer);
            }
        }

        ulong killedNs = rack.Simulation.NowNs;
        foreach (ushort session in sessions)
        {
            rack.AwaitEnd(session);
        }

        Check.That(rack.Simulation.NowNs - killedNs < MostDyingNs, $"SIGKILL took {(rack.Simulation.NowNs - killedNs) / 1_000_000} ms");
        rack.CheckInvariants();
        rack.AwaitExit(rack.Start(Cleaner));
        resources.AreBack();
    }

    private static void Play(UserProgram program, Step[] steps, int depth, Population population)
    {
        program.Handle(s_signals[0], static (_, _) => { }, 0);
        program.Pipe(out int reader, out int writer);
        Run(program, steps, depth, population, reader, writer);
    }

    /// <summary>The steps of a process or thread. Threads use each other's buffers, so what a call's result says may be nonsense.</summary>
    private static void Run(UserProgram program, Step[] steps, int depth, Population population, int reader, int writer)
    {
        for (int index = 0; index < steps.Length; index++)
        {
            Step step = steps[index];
            Step[] rest = steps[(index + 1)..];
            switch ((ProcessStep)step.Kind)
            {
                case ProcessStep.Fork when depth < MostDepth && population.Count < MostProcesses:
                    population.Count++;
                    program.Fork(child => Play(child, rest, depth + 1, population));
                    break;
                case ProcessStep.Thread when depth < MostDepth && population.Count < MostProcesses:
                    population.Count++;
                    program.StartThread(thread =>
                    {
                        Run(thread, rest, depth + 1, population, reader, writer);
                        thread.EndThread(step.A);
                    });
                    break;
                case ProcessStep.EndThread when step.A < 5:
                    program.EndThread(step.A);
                    break;
                case ProcessStep.VFork:
                    program.VFork(child => child.Sleep((ulong)step.A * 1_000_000));
                    break;
                case ProcessStep.VForkAndExecute:
                    program.VFork(child => child.Execute(Idler));
                    break;
                case ProcessStep.Execute when step.A < 4:
                    program.Execute(Idler);
                    break;
                case ProcessStep.Signal:
                    program.Kill(step.A - 3, s_signals[step.B % s_signals.Length]);
                    break;
                case ProcessStep.Sleep:
                    program.Sleep((ulong)step.A * 500_000);
                    break;
                case ProcessStep.Pause when step.A < 5:
                    program.Pause();
                    break;
                case ProcessStep.ReadPipe when step.A < 8:
                    program.Read(reader, 100, out _);
                    break;
                case ProcessStep.WritePipe:
                    program.Write(writer, new byte[(step.A * 1000) + 1]);
                    break;
                case ProcessStep.Wait:
                    program.WaitFor(-1, out _, step.A < 8 ? 1 : 0);
                    break;
                case ProcessStep.NewGroup:
                    program.Call(109, 0, 0);
                    break;
                case ProcessStep.RobustList:
                    // The answer's copies wait for the pages that these push out.
                    for (int page = 1; page < BufferPages; page++)
                    {
                        program.Store(UserProgram.BufferArea + ((ulong)((step.B + page) % BufferPages) << 12), (byte)page);
                    }

                    program.Call(274, (ulong)step.A, UserProgram.StructArea + 0x100, UserProgram.BufferArea + ((ulong)step.B << 12));
                    break;
                case ProcessStep.Touch:
                    program.Store(UserProgram.BufferArea + ((ulong)step.A << 12), (byte)step.B);
                    break;
                case ProcessStep.OpenFifo:
                    program.Call(133, program.PathAt(Fifo), 0x1180, 0);
                    program.Open(Fifo, step.A < 12 ? UserProgram.ReadOnly : UserProgram.WriteOnly);
                    break;
                default:
                    break;
            }
        }
    }

    /// <summary>How many have been forked: trees grow exponentially.</summary>
    private sealed class Population
    {
        internal int Count;
    }
}
