// The first C# that runs (called by Entry.S): serial log, memory, page tables, traps, clock, other CPUs, then the image's own Main, which
// brings devices and monitors up and returns; the boot thread then becomes the boot CPU's idle loop.

using System;
using System.Runtime;
using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>Brings a machine up.</summary>
public static unsafe class Startup
{
    private const ulong ManagedHeapBytes = 2 << 20;
    private const ulong LowMemoryEnd = 0x100000;
    private const ulong LargePageBytes = 0x200000;
    private const ulong ImageBase = 0xFFFFFFFF80000000;
    private const int LinkerSymbolCount = 6;
    private const int ImageEndSymbol = 3;

    private static FrameAllocator? s_frames;

    /// <summary>All frames of this machine behind the image.</summary>
    public static FrameAllocator Frames => s_frames!;

    /// <summary>APIC identifier of the boot CPU: where device interrupts go.</summary>
    internal static uint BootApicId { get; private set; }

    /// <summary>Physical address of the ACPI root pointer.</summary>
    internal static ulong AcpiRootPointer { get; private set; }

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("KernelMain")]
    private static extern void KernelMain();

    [RuntimeExport("KernelEntry")]
    private static void KernelEntry(ulong startInformation)
    {
        StartInformation* start = (StartInformation*)PhysicalAddress.ToKernel(startInformation);
        if (start->Magic != StartInformation.ExpectedMagic)
        {
            LogOutput.Write("PANIC not started through the PVH entry\n"u8);
            DebugExit.Panicked();
        }

        byte* line = (byte*)PhysicalAddress.ToKernel(start->CommandLine);
        int length = 0;
        while (start->CommandLine != 0 && line[length] != 0)
        {
            length++;
        }

        AcpiRootPointer = start->AcpiRootPointer;

        ulong* symbols = stackalloc ulong[LinkerSymbolCount];
        Cpu.LinkerSymbols(symbols);
        ulong imageEnd = symbols[ImageEndSymbol] - ImageBase;
        ulong memoryEnd = FindMemoryEnd(start, imageEnd);

        // The boot tables map the first gigabyte only; the heap and the frame bitmap lie right behind the image, well below that.
        ManagedHeap.Use(PhysicalAddress.ToKernel(imageEnd), ManagedHeapBytes);
        ManagedStatics.Initialize();
        ulong heapPages = ManagedHeapBytes / PageOperations.PageSize;
        s_frames = new FrameAllocator(PhysicalAddress.ToKernel(imageEnd), (memoryEnd - imageEnd) / PageOperations.PageSize, heapPages);
        KeepBootLine(line, length);
        Processors.ClearAccessFlagInTraps();
        PageTable.KernelRoot = KernelMap.Build(s_frames, (memoryEnd + LargePageBytes - 1) & ~(LargePageBytes - 1), symbols);
        Cpu.WriteCr3(PageTable.KernelRoot);

        Interrupts.MaskLegacyControllers();
        LocalApic.Map();
        BootApicId = LocalApic.Id;
        Processors.BringUpThisOne(0, BootApicId);
        Interrupts.Initialize(s_frames);
        Clock.Calibrate();
        void* scratchA = s_frames.Allocate();
        void* scratchB = s_frames.Allocate();
        PageOperations.ChooseRoutines(scratchA, scratchB);
        Crc32c.ChooseRoutine(s_frames, scratchA);
        s_frames.Free(scratchA);
        s_frames.Free(scratchB);
        Scheduler.Initialize(s_frames, &RunMain);
        Scheduler.RunIdleLoop();
    }

    private static void RunMain(void* argument)
    {
        Processors.StartOthers();
        KernelMain();
    }

    /// <summary>The end of the usable memory that the image was loaded into: what lies behind the image is ours.</summary>
    private static ulong FindMemoryEnd(StartInformation* start, ulong imageEnd)
    {
        MemoryMapEntry* map = (MemoryMapEntry*)PhysicalAddress.ToKernel(start->MemoryMap);
        for (uint index = 0; index < start->MemoryMapEntries; index++)
        {
            ulong end = map[index].Start + map[index].LengthBytes;
            if (map[index].Type == MemoryMapEntry.UsableMemory && map[index].Start <= LowMemoryEnd && end > imageEnd)
            {
                return end & ~(ulong)(PageOperations.PageSize - 1);
            }
        }

        LogOutput.Write("PANIC no usable memory behind the image\n"u8);
        DebugExit.Panicked();
        return 0;
    }

    /// <summary>Copies the boot line, which lies in memory that the frame allocator will give out.</summary>
    private static void KeepBootLine(byte* line, int length)
    {
        byte* copy = (byte*)s_frames!.AllocateCleared();
        int kept = Math.Min(length, PageOperations.PageSize);
        for (int index = 0; index < kept; index++)
        {
            copy[index] = line[index];
        }

        BootLine.Use(copy, kept);
    }
}
