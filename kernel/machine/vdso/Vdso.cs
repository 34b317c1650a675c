// The two pages that a program gets from the machine that it runs on: the vDSO's code (Vdso.S) and the numbers that it reads. Both are
// settled at boot and the same for every program, so whoever needs a page of them copies it.

using System.Runtime;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>What stands in [vvar]; Vdso.S knows the offsets.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct VdsoData
{
    /// <summary>The time stamp counter at boot.</summary>
    public ulong BootTicks;
    /// <summary>Nanoseconds of a tick, with 32 bits of fraction.</summary>
    public ulong NsPerTickFixed32;
    /// <summary>Nanoseconds from 1970-01-01 UTC to boot.</summary>
    public ulong BootUnixNs;
}

/// <summary>The vDSO of this machine.</summary>
public static unsafe class Vdso
{
    private static byte* s_data;

    /// <summary>The page that programs see as [vdso]: an ELF image.</summary>
    public static byte* CodePage => VdsoImage();

    /// <summary>The page that programs see as [vvar].</summary>
    public static byte* DataPage => s_data;

    /// <summary>Boot time, once the clock is known.</summary>
    internal static void Publish(FrameAllocator frames, in VdsoData data)
    {
        s_data = (byte*)frames.AllocateCleared();
        *(VdsoData*)s_data = data;
    }

    [MethodImpl(MethodImplOptions.InternalCall)]
    [RuntimeImport("VdsoImage")]
    private static extern byte* VdsoImage();
}
