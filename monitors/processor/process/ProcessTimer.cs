// One timer of a process: an interval timer (setitimer(2)), the limit of its processor time (RLIMIT_CPU), or one of timer_create(2).
// TimerQueue fires it.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>What a timer counts.</summary>
public enum TimerClock : byte
{
    /// <summary>Time that passes (Clock.NowNs).</summary>
    Elapsed = 0,
    /// <summary>Processor time of the process.</summary>
    Processor,
    /// <summary>The part of it in user mode.</summary>
    User,
    /// <summary>Processor time of somebody whom the timer names.</summary>
    Named,
}

/// <summary>What happens when a timer expires.</summary>
public enum TimerKind : byte
{
    /// <summary>SIGALRM; a periodic one goes on when the signal is taken, so that it cannot flood its process.</summary>
    RealInterval = 0,
    /// <summary>SIGVTALRM or SIGPROF.</summary>
    ProcessorInterval,
    /// <summary>SIGXCPU, again each second, and SIGKILL at the hard limit.</summary>
    ProcessorLimit,
    /// <summary>A signal with the timer's id, or none (timer_create(2)); goes on when the signal is taken.</summary>
    Created,
    /// <summary>Tells whoever made it (timerfd_create(2)).</summary>
    File,
}

/// <summary>Hears of the expiries of timers that belong to no process.</summary>
public abstract unsafe class ExpiryListener
{
    protected ExpiryListener()
    {
        Self = new ObjectPointer<ExpiryListener>(this);
    }

    /// <summary>How timers refer to this object.</summary>
    public ObjectPointer<ExpiryListener> Self { get; }

    /// <summary>The timer has expired and is in no queue any more. Never blocks.</summary>
    public abstract void Expired(ProcessTimer* timer);
}

/// <summary>A timer; zero-initialised = never armed. Part of its process, or in TimerQueue's slab.</summary>
public unsafe struct ProcessTimer
{
    // Neighbours in the queue, which is in order of LookNs.
    public ProcessTimer* Next;
    public ProcessTimer* Previous;
    public Process* Process;
    /// <summary>When the queue looks at it, in Clock.NowNs time; 0 = it is not in the queue.</summary>
    public ulong LookNs;
    /// <summary>Next expiry in its clock's time; 0 = disarmed. Of a timer whose signal waits to be taken: the last expiry.</summary>
    public ulong DueNs;
    /// <summary>0 = it expires once.</summary>
    public ulong PeriodNs;
    public TimerKind Kind;
    public TimerClock Clock;
    /// <summary>Signal of an expiry; 0 = none.</summary>
    public byte Signal;

    // Only for timers that tell a listener.
    public ObjectPointer<ExpiryListener> Listener;

    // Only for timers of timer_create(2).
    public bool CountsRealTime;
    /// <summary>What a timer with a named clock counts.</summary>
    public ProcessorClock Counted;
    public uint Id;
    /// <summary>The thread that gets the signal (SIGEV_THREAD_ID); 0 = the process.</summary>
    public uint ThreadId;
    /// <summary>Expiries that the last signal stood for, less itself.</summary>
    public uint Overruns;
    /// <summary>sigev_value.</summary>
    public ulong Value;
    public ProcessTimer* NextOfProcess;
}
