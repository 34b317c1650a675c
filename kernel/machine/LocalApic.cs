// The local APIC (SDM vol. 3, chapter 10): end of interrupt, interprocessor interrupts, and its timer in one-shot mode.

namespace Lego.Kernel;

/// <summary>This CPU's interrupt controller.</summary>
internal static unsafe class LocalApic
{
    private const ulong BasePhysical = 0xFEE00000;
    private const uint IdRegister = 0x20;
    private const uint TaskPriority = 0x80;
    private const uint EndOfInterruptRegister = 0xB0;
    private const uint SpuriousRegister = 0xF0;
    private const uint CommandLow = 0x300;
    private const uint CommandHigh = 0x310;
    private const uint TimerEntry = 0x320;
    private const uint LineInterrupt0 = 0x350;
    private const uint InitialCount = 0x380;
    private const uint CurrentCount = 0x390;
    private const uint DivideConfiguration = 0x3E0;
    private const uint Enable = 0x100;
    private const uint Masked = 0x10000;
    private const uint DivideByOne = 0xB;
    private const uint HighestDeviceClass = 0xE0;
    private const uint DeliveryPending = 0x1000;
    private const uint InitDelivery = 0x4500;
    private const uint StartupDelivery = 0x4600;
    private const uint FixedDelivery = 0x4000;

    private static byte* s_registers;

    /// <summary>This CPU's APIC identifier.</summary>
    internal static uint Id => Read(IdRegister) >> 24;

    /// <summary>Maps the registers; once.</summary>
    internal static void Map() => s_registers = (byte*)DeviceMemory.Map(BasePhysical, PageOperations.PageSize);

    /// <summary>Switches this CPU's APIC on.</summary>
    internal static void EnableOnThisCpu()
    {
        Write(SpuriousRegister, Enable | Interrupts.SpuriousVector);
        Write(TaskPriority, 0);
        Write(LineInterrupt0, Masked);
        Write(DivideConfiguration, DivideByOne);
        Write(TimerEntry, Interrupts.TimerVector);
    }

    /// <summary>
    /// Devices' interrupts stay pending; those of the kernel itself (vectors from 240) still come (SDM vol. 3, 10.8.3.1).
    /// </summary>
    internal static void HoldDevices() => Write(TaskPriority, HighestDeviceClass);

    /// <summary>Ends <see cref="HoldDevices"/>.</summary>
    internal static void AcceptDevices() => Write(TaskPriority, 0);

    internal static void EndOfInterrupt() => Write(EndOfInterruptRegister, 0);

    /// <summary>One timer interrupt after so many APIC ticks; 0 stops the timer.</summary>
    internal static void StartTimer(uint ticks) => Write(InitialCount, ticks);

    internal static void StartCalibration()
    {
        Write(TimerEntry, Masked);
        Write(DivideConfiguration, DivideByOne);
        Write(InitialCount, uint.MaxValue);
    }

    /// <summary>What the timer has still to count.</summary>
    internal static uint CurrentTicks => Read(CurrentCount);

    internal static void StopCalibration()
    {
        Write(InitialCount, 0);
        Write(TimerEntry, Interrupts.TimerVector);
    }

    internal static void SendInit(uint apicId) => SendCommand(apicId, InitDelivery);

    internal static void SendStartup(uint apicId, uint page) => SendCommand(apicId, StartupDelivery | page);

    internal static void SendInterrupt(uint apicId, byte vector) => SendCommand(apicId, FixedDelivery | vector);

    private static void SendCommand(uint apicId, uint command)
    {
        Write(CommandHigh, apicId << 24);
        Write(CommandLow, command);
        while ((Read(CommandLow) & DeliveryPending) != 0)
        {
            Cpu.Pause();
        }
    }

    private static uint Read(uint register) => System.Threading.Volatile.Read(ref *(uint*)(s_registers + register));

    private static void Write(uint register, uint value) => System.Threading.Volatile.Write(ref *(uint*)(s_registers + register), value);
}
