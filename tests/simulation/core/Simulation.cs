// A deterministic scheduler for a rack in one host process: simulated threads each have a host stack, exactly one of them runs, and whoever
// runs next is chosen by a seeded generator at every blocking point (the "baton" of Madsim, shuttle and FoundationDB's simulator).
//
// Why not Coyote: it rewrites Tasks and .NET's locks in compiled assemblies; the threads here are the kernel's own, with raw pointers and
// their own queues, and the kernel's blocking points are known by construction (WaitUntil, WaitQueue, Yield, Sleep, the way to user mode).
//
// The model. Kernel code is atomic on its machine between blocking points, as under the kernel lock. Machines share nothing but links, so
// an order of their atomic pieces is all that their parallelism can show. Messages, disks and timers are events in simulated time; what has
// arrived is seen when a machine polls, as on the real one. A thread that waits may poll for a while and keep its CPU, or give it away:
// both happen. Time moves when nobody can run, and sometimes before, because a slow CPU is as legal as a fast one.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Thrown at every wait when the run is over, so that each stack unwinds.</summary>
internal sealed class SimulationOver : Exception;

/// <summary>One run.</summary>
internal sealed unsafe class Simulation(ulong seed, Trace trace)
{
    /// <summary>A run that takes longer than this in simulated time hangs.</summary>
    private const ulong LimitNs = 120_000_000_000;
    private const int MostStepNs = 2_000;
    /// <summary>
    /// How often time moves on although somebody could run, and how far it may go: a machine whose host does something else.
    /// </summary>
    private const int EarlyTimePerMille = 30;
    private const ulong ShortStallNs = 200_000;
    private const ulong LongStallNs = 20_000_000;
    private const int LongStallPerMille = 20;
    private const ulong UnixTimeAtStartNs = 1_800_000_000_000_000_000;

    [ThreadStatic]
    private static SimMachine? t_machine;
    [ThreadStatic]
    private static SimThread? t_thread;

    private readonly PriorityQueue<SimEvent, (ulong TimeNs, ulong Number)> _events = new();
    private readonly List<SimMachine> _machines = [];
    private readonly List<SimThread> _threads = [];
    private readonly List<SimThread> _ready = [];
    private readonly List<Candidate> _candidates = [];
    private ulong _eventNumber;
    private bool _over;

    /// <summary>Something that can happen next: a thread goes on, or an idle machine polls.</summary>
    private readonly record struct Candidate(SimThread? Thread, SimMachine Machine);

    internal readonly Choices Choices = new(seed);

    internal Trace Trace => trace;

    /// <summary>What programs do, by address.</summary>
    internal CodeSpace Code { get; } = new();

    /// <summary>The boot line of all machines.</summary>
    internal byte[] BootLine { get; set; } = [];

    internal IReadOnlyList<SimMachine> Machines => _machines;

    internal IReadOnlyList<SimThread> Threads => _threads;

    /// <summary>Simulated time since the start.</summary>
    internal ulong NowNs { get; private set; }

    internal ulong UnixTimeNs => UnixTimeAtStartNs + NowNs;

    /// <summary>The first thing that went wrong; null while all is well.</summary>
    internal string? Failure { get; private set; }

    internal bool IsOver => _over;

    /// <summary>Where each thread stood when the run was given up; for people who read about a hang.</summary>
    internal string Waits =>
        string.Join('\n', _threads.Where(thread => thread.Stack != null).Select(thread => $"  {thread} waits:\n{thread.Stack}"));

    /// <summary>The machine whose code runs on this host thread.</summary>
    internal static SimMachine Machine => t_machine!;

    internal static SimMachine? MachineOrNone => t_machine;

    /// <summary>The simulated thread of this host thread.</summary>
    internal static SimThread Thread => t_thread!;

    /// <summary>Adds a machine; the first one is the driver's.</summary>
    internal SimMachine AddMachine(string name, ulong pages)
    {
        SimMachine machine = new(this, name, _machines.Count, MachineMemory.Of(_machines.Count).NewAllocator(pages));
        machine.Current = machine.Idle;
        _machines.Add(machine);
        if (_threads.Count == 0)
        {
            SimThread driver = new(machine, 0, "driver") { State = SimState.Running };
            driver.Kernel = Lego.Kernel.Thread.New(driver);
            _threads.Add(driver);
            machine.Threads.Add(driver);
        }

        return machine;
    }

    /// <summary>Runs <paramref name="driver"/> as a thread of the first machine until it ends or something fails.</summary>
    internal void Run(Action driver)
    {
        SimThread first = _threads[0];
        first.Main = driver;
        System.Threading.SemaphoreSlim done = new(0);
        first.Host = HostThread.Take(() =>
        {
            RunThread(first);
            UnwindAll(first);
            done.Release();
        });
        first.State = SimState.Running;
        first.Host.Resume();
        done.Wait();
        foreach (SimThread thread in _threads)
        {
            thread.Host?.Release();
            Lego.Kernel.Thread.Delete(thread.Kernel);
        }

        foreach (SimMachine each in _machines)
        {
            Lego.Kernel.Thread.Delete(each.Idle);
        }
    }

    /// <summary>Runs code as if the machine's boot thread did: nothing in it may block.</summary>
    internal void As(SimMachine machine, Action action)
    {
        SimMachine? before = t_machine;
        t_machine = machine;
        action();
        t_machine = before;
    }

    /// <summary>Makes a thread of the current machine that is ready to run.</summary>
    internal SimThread Spawn(ThreadBody body, nint argument, string name)
    {
        SimThread thread = new(Machine, _threads.Count, name) { Main = () => body.Run((void*)argument) };
        thread.Kernel = Lego.Kernel.Thread.New(thread);
        thread.Kernel->Id = (uint)thread.Number;
        _threads.Add(thread);
        Machine.Threads.Add(thread);
        MakeReady(thread);
        return thread;
    }

    /// <summary>Lets a machine's boot thread run <paramref name="main"/>.</summary>
    internal void Boot(SimMachine machine, Action main)
    {
        SimThread thread = new(machine, _threads.Count, "main") { Main = main };
        thread.Kernel = Lego.Kernel.Thread.New(thread);
        _threads.Add(thread);
        machine.Threads.Add(thread);
        MakeReady(thread);
    }

    internal void MakeReady(SimThread thread)
    {
        if (thread.State is SimState.Ready or SimState.Running or SimState.Ended)
        {
            return;
        }

        thread.WaitNumber++;
        thread.Flag = null;
        thread.Queue = null;
        if (thread.Machine.Spinner == thread)
        {
            thread.Machine.Spinner = null;
        }

        thread.State = SimState.Ready;
        _ready.Add(thread);
    }

    /// <summary>Gives the CPU away although the thread could go on.</summary>
    internal void YieldCurrent()
    {
        SimThread self = Thread;
        self.State = SimState.Ready;
        _ready.Add(self);
        Switch(self);
    }

    /// <summary>Blocks the current thread; its wait fields are set. False: the deadline has passed.</summary>
    internal bool Block(ulong deadlineNs)
    {
        SimThread self = Thread;
        self.State = self.Machine.Spinner == self ? SimState.Spinning : SimState.Waiting;
        self.TimedOut = false;
        self.DeadlineNs = deadlineNs;
        if (deadlineNs != ulong.MaxValue)
        {
            ulong number = self.WaitNumber;
            At(Math.Max(deadlineNs, NowNs), new SimEvent(self.Machine, () => TimeOut(self, number)));
        }

        Switch(self);
        return !self.TimedOut;
    }

    /// <summary>
    /// The current thread's end: it keeps its stack as it is until the run is over; nothing unwinds on the real machine either.
    /// </summary>
    internal void EndCurrent()
    {
        Thread.State = SimState.Ended;
        Switch(Thread);
    }

    /// <summary>Lets something happen at a time.</summary>
    internal void At(ulong timeNs, SimEvent happening) => _events.Enqueue(happening, (timeNs, _eventNumber++));

    /// <summary>Time that code takes.</summary>
    internal void Spend(ulong nanoseconds) => NowNs += nanoseconds;

    /// <summary>Gives the run up with a reason.</summary>
    internal void Fail(string reason)
    {
        Failure ??= reason;
        _over = true;
    }

    private void TimeOut(SimThread thread, ulong waitNumber)
    {
        if (thread.WaitNumber != waitNumber || thread.State is not (SimState.Waiting or SimState.Spinning))
        {
            return;
        }

        thread.TimedOut = true;
        if (thread.Queue != null)
        {
            thread.Queue->Remove(thread.Kernel);
        }

        MakeReady(thread);
    }

    /// <summary>Hands the baton to whoever is next; returns when the caller has it again.</summary>
    private void Switch(SimThread self)
    {
        if (_over)
        {
            throw new SimulationOver();
        }

        SimThread? next = Choose();
        if (next == null)
        {
            throw new SimulationOver();
        }

        next.State = SimState.Running;
        next.Machine.Current = next.Kernel;
        if (next == self)
        {
            return;
        }

        next.Machine.Switches++;
        SimMachine machine = t_machine!;
        Start(next);
        self.Host!.Pause();
        t_machine = machine;
        t_thread = self;
        if (_over)
        {
            throw new SimulationOver();
        }
    }

    private void Start(SimThread thread)
    {
        thread.Host ??= HostThread.Take(() =>
        {
            RunThread(thread);
            // The run is over, and the driver waits for this thread alone: it unwinds the next one.
            thread.HasUnwound = true;
            _threads[0].Host!.Resume();
        });
        thread.Host.Resume();
    }

    /// <summary>The next thread to run, after whatever polls and events come before it; null when the run is over.</summary>
    private SimThread? Choose()
    {
        while (!_over)
        {
            NowNs += (ulong)Choices.Next(MostStepNs);
            FireDue();
            WakeNotified();
            CollectCandidates();
            bool waits = _events.TryPeek(out _, out (ulong TimeNs, ulong Number) next);
            if (_candidates.Count == 0 || (waits && Stalls(next.TimeNs)))
            {
                if (!waits)
                {
                    Fail("deadlock: no thread can run and nothing will ever happen");
                    break;
                }

                NowNs = Math.Max(NowNs, next.TimeNs);
                if (NowNs > LimitNs)
                {
                    Fail($"hang: the programs have not ended after {LimitNs / 1_000_000_000} simulated seconds");
                }

                continue;
            }

            Candidate chosen = _candidates[Choices.Next(_candidates.Count)];
            if (chosen.Thread == null)
            {
                PollFor(chosen.Machine);
                continue;
            }

            SimThread thread = chosen.Thread;
            Choices.Note((ulong)thread.Number);
            if (thread.State == SimState.Spinning)
            {
                MakeReady(thread);
            }

            _ready.Remove(thread);
            Trace.Say(this, thread.Machine, $"runs {thread.Name}#{thread.Number}");
            return thread;
        }

        return null;
    }

    private bool Stalls(ulong untilNs)
    {
        if (!Choices.Chance(EarlyTimePerMille))
        {
            return false;
        }

        ulong longest = Choices.Chance(LongStallPerMille) ? LongStallNs : ShortStallNs;
        return untilNs <= NowNs + longest;
    }

    private void FireDue()
    {
        while (_events.TryPeek(out SimEvent? happening, out (ulong TimeNs, ulong Number) when) && when.TimeNs <= NowNs)
        {
            _events.Dequeue();
            SimMachine? before = t_machine;
            t_machine = happening.Machine;
            happening.Action();
            t_machine = before;
        }
    }

    private void WakeNotified()
    {
        foreach (SimMachine machine in _machines)
        {
            if (!machine.Notified)
            {
                continue;
            }

            machine.Notified = false;
            foreach (SimThread thread in machine.Threads)
            {
                if (thread.State is SimState.Waiting or SimState.Spinning && thread.Flag != null && *thread.Flag)
                {
                    MakeReady(thread);
                }
            }
        }
    }

    private void CollectCandidates()
    {
        _candidates.Clear();
        foreach (SimThread thread in _ready)
        {
            if (thread.Machine.Spinner == null && thread.Machine.StoppedUntilNs <= NowNs)
            {
                _candidates.Add(new Candidate(thread, thread.Machine));
            }
        }

        foreach (SimMachine machine in _machines)
        {
            if (!machine.HasNews || machine.StoppedUntilNs > NowNs)
            {
                continue;
            }

            // A spinner sees for itself what has come; otherwise the idle loop does.
            _candidates.Add(new Candidate(machine.Spinner, machine));
        }
    }

    /// <summary>What the idle loop of a machine does.</summary>
    private void PollFor(SimMachine machine)
    {
        SimMachine? before = t_machine;
        Lego.Kernel.Thread* current = machine.Current;
        t_machine = machine;
        machine.Current = machine.Idle;
        Trace.Say(this, machine, "polls");
        try
        {
            Poller.PollAll();
        }
        catch (Exception error) when (error is not SimulationOver)
        {
            Fail($"{machine.Name}, polling: {Describe(error)}");
        }

        machine.Current = current;
        t_machine = before;
    }

    private void RunThread(SimThread self)
    {
        t_machine = self.Machine;
        t_thread = self;
        try
        {
            if (_over)
            {
                return;
            }

            if (self == _threads[0])
            {
                self.Main();
            }
            else
            {
                self.Main();
                EndCurrent();
            }
        }
        catch (SimulationOver over)
        {
            // Making a trace costs as much as some hundred messages.
            self.Stack = Failure == null ? null : over.StackTrace;
        }
        catch (Exception error)
        {
            Fail($"{self}: {Describe(error)}");
        }

        self.State = SimState.Ended;
        if (self != _threads[0] && !_over)
        {
            Fail($"{self}: left its last frame");
        }
    }

    /// <summary>Ends all stacks one after the other; runs on the driver's host thread.</summary>
    private void UnwindAll(SimThread driver)
    {
        _over = true;
        // A thread that failed has handed the baton back already; each of the others is resumed once and throws.
        for (int index = 1; index < _threads.Count; index++)
        {
            SimThread thread = _threads[index];
            if (thread.Host != null && !thread.HasUnwound)
            {
                thread.Host.Resume();
                driver.Host!.Pause();
            }
        }
    }

    private static string Describe(Exception error) => error is PanicException
        ? $"panic: {error.Message}\n{error.StackTrace}"
        : $"{error.GetType().Name}: {error.Message}\n{error.StackTrace}";
}
