// The flags of /proc/cpuinfo: what CPUID offers to programs (SDM vol. 2, CPUID), in the words and the order of Linux (proc_cpuinfo(5)).
// What the kernel would have to switch on and does not (FSGSBASE, protection keys, AVX-512) is left out. Never blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Names of the CPU's features.</summary>
internal static unsafe class CpuFlags
{
    private const uint Basic = 1;
    private const uint Structured = 7;
    private const uint Extended = 0x80000001;

    /// <summary>Registers in the order that Cpu.Identify gives them.</summary>
    private enum Register
    {
        Eax,
        Ebx,
        Ecx,
        Edx,
    }

    /// <summary>Appends the names, a blank before each.</summary>
    public static void Append(ref TextBuffer text)
    {
        // A name for each bit from 0 on; "-" for those that are nobody's or not a program's business.
        AppendRegister(ref text, Basic, Register.Edx,
            "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - dts acpi mmx fxsr sse sse2 ss ht"u8);
        AppendRegister(ref text, Extended, Register.Edx,
            "- - - - - - - - - - - syscall - - - - - - - - nx - mmxext - - fxsr_opt pdpe1gb rdtscp - lm"u8);
        AppendRegister(ref text, Basic, Register.Ecx,
            "pni pclmulqdq - - - - - - - ssse3 - - fma cx16 - - - - - sse4_1 sse4_2 - movbe popcnt "u8
            + "- aes xsave - avx f16c rdrand hypervisor"u8);
        AppendRegister(ref text, Extended, Register.Ecx, "lahf_lm - - - - abm sse4a misalignsse 3dnowprefetch"u8);
        AppendRegister(ref text, Structured, Register.Ebx,
            "- - - bmi1 - avx2 - smep bmi2 erms - - - - - - - - rdseed adx smap - - clflushopt clwb - - - - sha_ni"u8);
        AppendRegister(ref text, Structured, Register.Ecx, "- - umip - - - - - gfni vaes vpclmulqdq - - - - - - - - - - - rdpid"u8);
    }

    private static void AppendRegister(ref TextBuffer text, uint leaf, Register register, ReadOnlySpan<byte> names)
    {
        uint* registers = stackalloc uint[4];
        Cpu.Identify(leaf, 0, registers);
        for (uint bits = registers[(int)register]; names.Length != 0; bits >>= 1)
        {
            int end = names.IndexOf((byte)' ');
            ReadOnlySpan<byte> name = end < 0 ? names : names[..end];
            names = end < 0 ? default : names[(end + 1)..];
            if ((bits & 1) != 0 && name[0] != (byte)'-')
            {
                text.Append((byte)' ');
                text.Append(name);
            }
        }
    }
}
