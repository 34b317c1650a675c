// One component of a rack as the user describes it: its kind, its machine's size and, for a processor component, its ExCache. Immutable;
// made by RackFile or by the command line's defaults and turned into a QEMU command line by QemuCommandLine.

using System.Collections.Generic;

namespace Lego.Racks;

/// <summary>What a machine of the rack is. Solo is all four monitors in one image.</summary>
public enum ComponentKind { Processor = 1, Memory = 2, Storage = 3, Manager = 4, Solo = 100 }

/// <summary>Replacement policy of the ExCache.</summary>
public enum ExCachePolicy { Fifo, Lru, Clock, Random }

/// <summary>How the manager chooses the processor component of a program.</summary>
public enum ProcessPolicy { Fewest, Packed, Spread }

/// <summary>The widest vector registers that a machine's CPUs offer to programs: XMM (SSE4) or YMM (AVX, AVX2, FMA).</summary>
public enum VectorRegisters { Sse, Avx }

/// <summary>One machine of the rack.</summary>
public sealed record ComponentDescription
{
    /// <summary>Kernel, tables and request buffers of a processor component besides its ExCache lines; less does not boot.</summary>
    public const long ProcessorOverheadBytes = 16 * ByteSize.MiB;
    /// <summary>Least machine size of the other kinds.</summary>
    public const long LeastMemoryBytes = 16 * ByteSize.MiB;
    /// <summary>Of a page of memory and of a line of the ExCache.</summary>
    public const long PageBytes = 4096;
    /// <summary>CPUs that an image uses.</summary>
    public const int MostCpus = 8;
    public const VectorRegisters DefaultVectors = VectorRegisters.Avx;

    /// <summary>What it is.</summary>
    public required ComponentKind Kind { get; init; }
    /// <summary>Short name, unique in the rack: p0, m0, s0, g0.</summary>
    public required string Name { get; init; }
    /// <summary>Number in the rack, from 1; the source and destination in every message.</summary>
    public required int Node { get; init; }
    /// <summary>RAM of the machine, bytes.</summary>
    public required long MemoryBytes { get; init; }
    /// <summary>CPUs of the machine.</summary>
    public int Cpus { get; init; } = 1;
    /// <summary>What its CPUs offer to programs.</summary>
    public VectorRegisters Vectors { get; init; } = DefaultVectors;
    /// <summary>Processor and solo: the ExCache's lines together, bytes.</summary>
    public long ExCacheBytes { get; init; }
    /// <summary>Lines of one set; 0 leaves the choice to the image.</summary>
    public int Ways { get; init; }
    /// <summary>Null leaves the choice to the image.</summary>
    public ExCachePolicy? Policy { get; init; }
    /// <summary>Solo: bytes that its memory monitor manages.</summary>
    public long HomeMemoryBytes { get; init; }
    /// <summary>Storage and solo: the volume's name; null = a throw-away copy of the default volume.</summary>
    public string? Volume { get; init; }
    /// <summary>The image that it boots, NAME of out/images/NAME.elf; null = that of its kind.</summary>
    public string? Image { get; init; }
    /// <summary>The host's cores that the machine runs on, by number; none for any.</summary>
    public IReadOnlyList<int> HostCores { get; init; } = [];
    /// <summary>Further boot arguments, key=value, in order.</summary>
    public string[] BootArguments { get; init; } = [];

    /// <summary>True for the machines that have the volume's block device.</summary>
    public bool HasVolume => Kind is ComponentKind.Storage or ComponentKind.Solo;

    /// <summary>True for the machines that keep an ExCache.</summary>
    public bool HasExCache => Kind is ComponentKind.Processor or ComponentKind.Solo;

    /// <summary>The word for the kind in boot arguments, names of images and messages to the user.</summary>
    public string KindName => Kind.ToString().ToLowerInvariant();

    /// <summary>Name of the image that it boots.</summary>
    public string ImageName => Image ?? KindName;

    /// <summary>How a sentence refers to it: "m0 (memory)".</summary>
    public string Title => $"{Name} ({KindName})";

    /// <summary>Fails with a usage sentence when the sizes cannot work.</summary>
    public void Check()
    {
        if (Cpus is < 1 or > MostCpus)
        {
            throw ToolException.Usage($"{Title}: cpus must be 1 to {MostCpus}, not {Cpus}");
        }

        if (HasExCache)
        {
            CheckExCache();
        }
        else if (MemoryBytes < LeastMemoryBytes)
        {
            throw ToolException.Usage(
                $"{Title}: {ByteSize.Format(MemoryBytes)} of memory is too small; it needs at least {ByteSize.Format(LeastMemoryBytes)}");
        }

        if (MemoryBytes % ByteSize.MiB != 0)
        {
            throw ToolException.Usage($"{Title}: memory must be a whole number of megabytes, not {ByteSize.Format(MemoryBytes)}");
        }
    }

    private void CheckExCache()
    {
        if (ExCacheBytes < PageBytes || ExCacheBytes % PageBytes != 0)
        {
            throw ToolException.Usage($"{Title}: the ExCache must be a positive multiple of 4K, not {ByteSize.Format(ExCacheBytes)}");
        }

        long lines = ExCacheBytes / PageBytes;
        if (Ways < 0 || (Ways > 0 && (Ways > lines || lines % Ways != 0)))
        {
            throw ToolException.Usage($"{Title}: {Ways} ways do not divide the ExCache's {lines} lines");
        }

        long least = ExCacheBytes + ProcessorOverheadBytes + HomeMemoryBytes;
        if (MemoryBytes < least)
        {
            throw ToolException.Usage($"{Title}: an ExCache of {ByteSize.Format(ExCacheBytes)} needs a machine of at least "
                + $"{ByteSize.Format(least)}, not {ByteSize.Format(MemoryBytes)}");
        }
    }
}
