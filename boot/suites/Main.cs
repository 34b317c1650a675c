// The image of the cases that need a real machine: no monitor runs, only what tests/suites holds. filter=PREFIX on the boot line chooses
// cases. Ends with status 33 when none failed (also when none was chosen), else 65.

using System;
using System.Runtime;
using Lego.Drivers;
using Lego.Kernel;
using Lego.Suites;

namespace Lego.Images;

internal static class SuitesMain
{
    [RuntimeExport("KernelMain")]
    private static void Main()
    {
        FrameAllocator frames = Startup.Frames;
        DeviceSet devices = new(new PortConfiguration(), frames);
        CaseList cases = new();
        MachineCases.Register(cases, frames);
        MemoryCases.Register(cases, frames);
        ProtectionCases.Register(cases, frames);
        ProcessorCases.Register(cases);
        DriverCases.Register(cases, devices, frames);
        NetCases.Register(cases, devices, frames);
        StorageCases.Register(cases, devices, frames);
        BootArguments.TryGet("filter"u8, out ReadOnlySpan<byte> filter);
        if (cases.Run(filter, frames))
        {
            DebugExit.Orderly();
        }

        DebugExit.Panicked();
    }
}
