// Interrupt vectors: who handles which, and how devices reach them (MSI messages, SDM vol. 3, 10.11; the I/O APIC for wired lines,
// 82093AA datasheet). Handlers run with the kernel lock held and must not block; most only exist to end a halt.

namespace Lego.Kernel;

/// <summary>The table of interrupt handlers.</summary>
public static unsafe class Interrupts
{
    /// <summary>
    /// From here on the kernel's own vectors: one priority class, above all devices. TrapEntry ends them before it takes the kernel lock.
    /// </summary>
    internal const byte FirstKernelVector = 240;
    internal const byte TimerVector = 240;
    internal const byte WakeVector = 241;
    internal const byte FlushVector = 242;
    internal const byte SpuriousVector = 255;
    private const byte FirstDeviceVector = 48;
    private const int VectorCount = 256;
    private const ulong MessageAddress = 0xFEE00000;
    private const ulong IoApicPhysical = 0xFEC00000;
    private const uint RedirectionTable = 0x10;
    private const uint LevelTriggered = 1 << 15;
    private const uint WindowOffset = 0x10;
    private const ushort FirstLegacyMask = 0x21;
    private const ushort SecondLegacyMask = 0xA1;

    private struct Handler
    {
        internal ObjectPointer<InterruptHandler> Object;
        internal ulong Count;
    }

    private static Handler* s_handlers;
    private static byte s_nextVector = FirstDeviceVector;
    private static byte* s_ioApic;

    /// <summary>
    /// Masks the 8259s, which would deliver on the CPU's exception vectors. Must come before anything touches the local APIC: the BIOS has
    /// left its 18 Hz timer running, and a request of the 8259 that is cut off at the APIC's LINT0 pin instead of at its source stays
    /// latched in the emulated CPU, which then takes vector -1 at the first STI: a general protection fault with error code -14.
    /// </summary>
    internal static void MaskLegacyControllers()
    {
        Ports.Out8(FirstLegacyMask, 0xFF);
        Ports.Out8(SecondLegacyMask, 0xFF);
    }

    internal static void Initialize(FrameAllocator frames)
    {
        ulong pages = ((ulong)(VectorCount * sizeof(Handler)) + PageOperations.PageSize - 1) / PageOperations.PageSize;
        s_handlers = (Handler*)frames.AllocateContiguous(pages);
        for (int vector = 0; vector < VectorCount; vector++)
        {
            s_handlers[vector] = default;
        }

        s_ioApic = (byte*)DeviceMemory.Map(IoApicPhysical, PageOperations.PageSize);
    }

    /// <summary>A free vector for a device, with its handler. Boot time.</summary>
    public static byte AllocateVector(InterruptHandler handler)
    {
        if (s_nextVector == TimerVector)
        {
            Panic.Because("Interrupts.AllocateVector: no vector left");
        }

        byte vector = s_nextVector++;
        s_handlers[vector].Object = new ObjectPointer<InterruptHandler>(handler);
        return vector;
    }

    /// <summary>The message that makes a device raise the vector on the boot CPU.</summary>
    public static (ulong Address, uint Data) MsiMessage(byte vector) => (MessageAddress | ((ulong)Startup.BootApicId << 12), vector);

    /// <summary>Sends an I/O APIC input (for PCI: the configuration space's interrupt line) to a vector on the boot CPU.</summary>
    public static void RouteIoApic(int line, byte vector, bool level)
    {
        WriteIoApic(RedirectionTable + ((uint)line * 2) + 1, Startup.BootApicId << 24);
        WriteIoApic(RedirectionTable + ((uint)line * 2), vector | (level ? LevelTriggered : 0));
    }

    /// <summary>How often a vector was raised.</summary>
    public static ulong CountOf(byte vector) => s_handlers[vector].Count;

    /// <summary>Runs a device's handler.</summary>
    [NoBlock]
    [NoAllocation]
    internal static void Dispatch(int vector)
    {
        Handler* handler = s_handlers + vector;
        handler->Count++;
        if (!handler->Object.IsNull)
        {
            handler->Object.Target.OnInterrupt();
        }

        // A wired line is still up before its handler has run, so a device's interrupt ends only now.
        if (vector < FirstKernelVector)
        {
            LocalApic.EndOfInterrupt();
        }
    }

    private static void WriteIoApic(uint register, uint value)
    {
        System.Threading.Volatile.Write(ref *(uint*)s_ioApic, register);
        System.Threading.Volatile.Write(ref *(uint*)(s_ioApic + WindowOffset), value);
    }
}
