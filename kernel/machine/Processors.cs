// The CPUs of this machine: bringing them up (SDM vol. 3, 9.4: INIT, start-up message), waking halted ones, their timers.

using System.Runtime;
using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>All CPUs.</summary>
public static unsafe class Processors
{
    /// <summary>Most CPUs of one machine.</summary>
    public const int Max = 8;

    private const int EmergencyStackPages = 2;
    private const int BootStackPages = 8;
    private const ulong TrampolinePage = 0x8000;
    private const ulong InitWaitNs = 200_000;
    private const ulong StartTimeoutNs = 1_000_000_000;
    private const uint Cr4Umip = 1 << 11;
    private const uint Cr4Smep = 1 << 20;
    private const uint Cr4Smap = 1 << 21;
    private const uint ExtendedFeatures = 7;
    private const int SmapBit = 20;
    private const ulong NsPerSecond = 1_000_000_000;

    private struct Table
    {
        internal fixed ulong Cpus[Max];
        internal fixed ulong TimerDeadlines[Max];
        /// <summary>What the CPUs are to forget that are being interrupted.</summary>
        internal fixed ulong Stale[PageTable.MostInvalidated];
        internal fixed ulong FlushInterrupts[Max];
    }

    private static Table s_table;
    private static int s_count;
    private static int s_staleCount;
    private static bool s_started;

    /// <summary>CPUs that run.</summary>
    public static int Count => s_count;

    /// <summary>Whether a CPU executes user pages or touches them from kernel code: SMEP and SMAP (SDM vol. 3, 4.6).</summary>
    public static bool HasSupervisorProtection { get; private set; }

    internal static void BringUpThisOne(int index, uint apicId)
    {
        CpuLocal* cpu = (CpuLocal*)Startup.Frames.AllocateCleared();
        cpu->Self = cpu;
        cpu->Index = index;
        cpu->ApicId = apicId;
        cpu->PageTableRoot = PageTable.KernelRoot;
        s_table.Cpus[index] = (ulong)cpu;
        s_table.TimerDeadlines[index] = ulong.MaxValue;
        s_count++;
        cpu->Tables.Load(Startup.Frames, index, KernelStacks.Map(Startup.Frames, EmergencyStackPages));
        // Loading the segment registers has cleared the GS base.
        Cpu.WriteMsr(Cpu.GsBaseMsr, (ulong)cpu);
        Cpu.WriteMsr(Cpu.KernelGsBaseMsr, 0);
        EnableProtection();
        ExtendedState.EnableOnThisCpu();
        UserMode.EnableSystemCalls();
        LocalApic.EnableOnThisCpu();
    }

    /// <summary>Starts the other CPUs that ACPI lists; called once from a thread.</summary>
    public static void StartOthers()
    {
        uint* apicIds = stackalloc uint[Max];
        int found = AcpiTables.FindProcessors(apicIds, Max);
        if (found <= 1)
        {
            return;
        }

        KernelLock.IsNeeded = true;
        KernelLock.Acquire();
        PrepareTrampoline();
        for (int index = 0; index < found && s_count < Max; index++)
        {
            if (apicIds[index] != Startup.BootApicId)
            {
                StartOne(apicIds[index]);
            }
        }
    }

    /// <summary>Interrupts one halted CPU, if any, to look at the run queue.</summary>
    internal static void WakeAnIdleOne()
    {
        if (s_count <= 1)
        {
            return;
        }

        int self = Cpu.Index;
        for (int index = 0; index < s_count; index++)
        {
            CpuLocal* cpu = (CpuLocal*)s_table.Cpus[index];
            if (index != self && cpu->Halted != 0)
            {
                cpu->Halted = 0;
                LocalApic.SendInterrupt(cpu->ApicId, Interrupts.WakeVector);
                return;
            }
        }
    }

    /// <summary>
    /// A thread waits that may run on some CPUs only, a bit for each: interrupts one of them, if any an idle one, to look at the run queue,
    /// unless this CPU is one of them and no other is idle.
    /// </summary>
    internal static void WakeOneOf(ulong cpus)
    {
        int self = Cpu.Index;
        int chosen = -1;
        for (int index = 0; index < s_count; index++)
        {
            bool isMeant = ((cpus >> index) & 1) != 0;
            if (isMeant && index != self && ((CpuLocal*)s_table.Cpus[index])->Halted != 0)
            {
                chosen = index;
                ((CpuLocal*)s_table.Cpus[index])->Halted = 0;
                break;
            }

            if (isMeant && chosen != self)
            {
                chosen = index;
            }
        }

        if (chosen >= 0 && chosen != self)
        {
            Interrupt(chosen);
        }
    }

    /// <summary>The kernel lock is free: interrupts one CPU that has halted because it was not.</summary>
    internal static void WakeOneThatWaitsForLock()
    {
        for (int index = 0; index < s_count; index++)
        {
            CpuLocal* cpu = (CpuLocal*)s_table.Cpus[index];
            if (System.Threading.Volatile.Read(ref cpu->WaitsForLock) != 0
                && System.Threading.Interlocked.Exchange(ref cpu->LockWakeSent, 1) == 0)
            {
                LocalApic.SendInterrupt(cpu->ApicId, Interrupts.WakeVector);
                return;
            }
        }
    }

    /// <summary>Makes another CPU enter the kernel, if only for a moment.</summary>
    internal static void Interrupt(int index) => LocalApic.SendInterrupt(((CpuLocal*)s_table.Cpus[index])->ApicId, Interrupts.WakeVector);

    /// <summary>
    /// Makes every other CPU that has a root loaded forget so many translations (or all), and waits for it (SDM vol. 3, 4.10.5). On a host
    /// with fewer cores a CPU may answer late, so those that cannot have any are not asked.
    /// </summary>
    internal static void FlushOthers(ulong root, ulong* addresses, int count)
    {
        for (int index = 0; index < count && count <= PageTable.MostInvalidated; index++)
        {
            s_table.Stale[index] = addresses[index];
        }

        Ask(root, count);
    }

    /// <summary>How often a CPU has been interrupted because translations had become stale (TLB shootdowns), and by InterruptAll.</summary>
    public static ulong FlushInterrupts(int index) => s_table.FlushInterrupts[index];

    /// <summary>
    /// Interrupts every other CPU that has a root loaded (0: every other CPU in user mode or in the kernel), waits until each has handled
    /// it, and so makes them pass a memory barrier; their translations are gone as well.
    /// </summary>
    public static void InterruptAll(ulong root) => Ask(root, int.MaxValue);

    /// <summary>Answers <see cref="FlushOthers"/> on this CPU.</summary>
    internal static void FlushWhenWanted()
    {
        CpuLocal* cpu = Cpu.Local;
        if (System.Threading.Volatile.Read(ref cpu->FlushWanted) != 0)
        {
            fixed (ulong* stale = s_table.Stale)
            {
                PageTable.DropHere(stale, s_staleCount);
            }

            System.Threading.Volatile.Write(ref cpu->FlushWanted, 0);
        }
    }

    /// <summary>What stands in the table is not changed before all have forgotten it.</summary>
    private static void Ask(ulong root, int count)
    {
        int self = Cpu.Index;
        s_staleCount = count;
        for (int index = 0; index < s_count; index++)
        {
            CpuLocal* cpu = (CpuLocal*)s_table.Cpus[index];
            if (index != self && (root == 0 || cpu->PageTableRoot == root))
            {
                System.Threading.Volatile.Write(ref cpu->FlushWanted, 1);
                LocalApic.SendInterrupt(cpu->ApicId, Interrupts.FlushVector);
                s_table.FlushInterrupts[index]++;
            }
        }

        // Nobody else asks meanwhile: the kernel lock is held.
        for (int index = 0; index < s_count; index++)
        {
            CpuLocal* cpu = (CpuLocal*)s_table.Cpus[index];
            while (index != self && System.Threading.Volatile.Read(ref cpu->FlushWanted) != 0)
            {
                Cpu.Pause();
            }
        }
    }

    /// <summary>Makes sure that this CPU's timer fires no later than the deadline.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void ArmTimer(int index, ulong deadlineNs)
    {
        if (deadlineNs < s_table.TimerDeadlines[index])
        {
            StartTimer(index, deadlineNs);
        }
    }

    internal static void TimerDisarmed() => s_table.TimerDeadlines[Cpu.Index] = ulong.MaxValue;

    private static void StartTimer(int index, ulong deadlineNs)
    {
        ulong now = Clock.NowNs();
        ulong waitNs = deadlineNs > now ? deadlineNs - now : 1;
        // Count and wait both fit 64 bits in the product: the wait is bounded to one second, after which the timer is armed again.
        waitNs = waitNs < NsPerSecond ? waitNs : NsPerSecond;
        ulong ticks = (waitNs * (Clock.ApicTicksPerSecond / 1000) / (NsPerSecond / 1000)) + 1;
        s_table.TimerDeadlines[index] = now + waitNs;
        LocalApic.StartTimer((uint)ticks);
    }

    /// <summary>
    /// SMEP, SMAP and UMIP (programs do not learn where the kernel's tables lie), as far as this CPU has them (SDM vol. 3, 2.5).
    /// </summary>
    private static void EnableProtection()
    {
        uint* features = stackalloc uint[4];
        Cpu.Identify(ExtendedFeatures, 0, features);
        bool smep = ((features[1] >> 7) & 1) != 0;
        bool smap = ((features[1] >> SmapBit) & 1) != 0;
        bool umip = ((features[2] >> 2) & 1) != 0;
        Cpu.WriteCr4(Cpu.ReadCr4() | (smep ? Cr4Smep : 0) | (smap ? Cr4Smap : 0) | (umip ? Cr4Umip : 0));
        HasSupervisorProtection = smep && smap;
    }

    /// <summary>
    /// Makes every trap clear AC, if the CPU has SMAP. Called while the boot tables still let the image's text be written.
    /// </summary>
    internal static void ClearAccessFlagInTraps()
    {
        uint* features = stackalloc uint[4];
        Cpu.Identify(ExtendedFeatures, 0, features);
        if (((features[1] >> SmapBit) & 1) != 0)
        {
            byte* code = Cpu.TrapAccessFlagAddress();
            code[0] = 0x0F; // CLAC (SDM vol. 2)
            code[1] = 0x01;
            code[2] = 0xCA;
        }
    }

    private static void PrepareTrampoline()
    {
        ulong* symbols = stackalloc ulong[6];
        Cpu.LinkerSymbols(symbols);
        PageOperations.CopyBytes(PhysicalAddress.ToKernel(TrampolinePage), PhysicalAddress.ToKernel(symbols[4]), symbols[5] - symbols[4]);
        KernelMap.MapIdentity(TrampolinePage, Startup.Frames);
    }

    private static void StartOne(uint apicId)
    {
        ulong* slots = stackalloc ulong[3];
        Cpu.TrampolineSlots(slots);
        byte* page = (byte*)PhysicalAddress.ToKernel(TrampolinePage);
        *(ulong*)(page + slots[0]) = PageTable.KernelRoot;
        *(ulong*)(page + slots[1]) = KernelStacks.Map(Startup.Frames, BootStackPages);
        *(ulong*)(page + slots[2]) = apicId;
        s_started = false;
        LocalApic.SendInit(apicId);
        SpinFor(InitWaitNs);
        LocalApic.SendStartup(apicId, (uint)(TrampolinePage / PageOperations.PageSize));
        ulong deadline = Clock.NowNs() + StartTimeoutNs;
        while (!System.Threading.Volatile.Read(ref s_started))
        {
            if (Clock.NowNs() > deadline)
            {
                Log.Warn($"CPU with APIC id {apicId} did not start");
                return;
            }

            Cpu.Pause();
        }
    }

    /// <summary>A started CPU arrives here; the CPU that starts it holds the kernel lock and waits, so this part runs alone.</summary>
    [RuntimeExport("ProcessorEntry")]
    private static void ProcessorEntry(ulong apicId)
    {
        BringUpThisOne(s_count, (uint)apicId);
        Scheduler.AdoptIdleThread();
        System.Threading.Volatile.Write(ref s_started, true);
        KernelLock.Acquire();
        Scheduler.RunIdleLoop();
    }

    private static void SpinFor(ulong nanoseconds)
    {
        ulong end = Clock.NowNs() + nanoseconds;
        while (Clock.NowNs() < end)
        {
            Cpu.Pause();
        }
    }
}
