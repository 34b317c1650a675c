// The one thing that ACPI is asked for: which CPUs there are (ACPI 6.5, 5.2.5 RSDP, 5.2.7 RSDT, 5.2.12 MADT). Tables are firmware's, but
// every length is checked before it is followed.

namespace Lego.Kernel;

/// <summary>Reads the multiple APIC description table.</summary>
internal static unsafe class AcpiTables
{
    private const uint MadtSignature = 0x43495041;
    private const int HeaderBytes = 36;
    private const int MadtEntriesOffset = 44;
    private const int RsdtAddressOffset = 16;
    private const uint MaxTableBytes = 1 << 16;
    private const byte LocalApicEntry = 0;
    private const uint EnabledFlag = 1;
    private const ulong FirmwareAreaStart = 0xE0000;
    private const ulong FirmwareAreaEnd = 0x100000;
    private const ulong RsdpSignature = 0x2052545020445352;

    /// <summary>Fills in the APIC identifiers of enabled CPUs; returns how many.</summary>
    internal static int FindProcessors(uint* apicIds, int max)
    {
        byte* root = FindRootPointer();
        if (root == null)
        {
            return 0;
        }

        byte* rsdt = Table(*(uint*)(root + RsdtAddressOffset));
        if (rsdt == null)
        {
            return 0;
        }

        uint length = *(uint*)(rsdt + 4);
        for (uint offset = HeaderBytes; offset + 4 <= length; offset += 4)
        {
            byte* table = Table(*(uint*)(rsdt + offset));
            if (table != null && *(uint*)table == MadtSignature)
            {
                return ReadMadt(table, apicIds, max);
            }
        }

        return 0;
    }

    private static byte* FindRootPointer()
    {
        if (Startup.AcpiRootPointer != 0)
        {
            return (byte*)PhysicalAddress.ToKernel(Startup.AcpiRootPointer);
        }

        for (ulong address = FirmwareAreaStart; address < FirmwareAreaEnd; address += 16)
        {
            byte* candidate = (byte*)PhysicalAddress.ToKernel(address);
            if (*(ulong*)candidate == RsdpSignature)
            {
                return candidate;
            }
        }

        return null;
    }

    private static byte* Table(uint physical)
    {
        byte* table = (byte*)PhysicalAddress.ToKernel(physical);
        if (physical == 0 || !KernelMap.IsMapped((ulong)table) || !KernelMap.IsMapped((ulong)table + HeaderBytes))
        {
            return null;
        }

        uint length = *(uint*)(table + 4);
        return length is < HeaderBytes or > MaxTableBytes || !KernelMap.IsMapped((ulong)table + length - 1) ? null : table;
    }

    private static int ReadMadt(byte* madt, uint* apicIds, int max)
    {
        int found = 0;
        uint length = *(uint*)(madt + 4);
        for (uint offset = MadtEntriesOffset; offset + 8 <= length && found < max; offset += madt[offset + 1])
        {
            if (madt[offset + 1] < 2)
            {
                break;
            }

            if (madt[offset] == LocalApicEntry && (*(uint*)(madt + offset + 4) & EnabledFlag) != 0)
            {
                apicIds[found++] = madt[offset + 3];
            }
        }

        return found;
    }
}
