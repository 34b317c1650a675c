// What Linux does with a few files in one directory: the reference for programs that use them at the same time. Contents are counted in
// granules of 64 bytes that all hold the same value, so that no operation of the scenarios crosses a page in the middle of one.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Operations of the file scenarios.</summary>
internal enum FileStep
{
    Open,
    OpenCreate,
    OpenTruncate,
    OpenExclusive,
    OpenAppend,
    Close,
    WriteAt,
    Write,
    ReadAt,
    Truncate,
    Allocate,
    Size,
    Unlink,
    Rename,
    Sync,

    /// <summary>The second piece of OpenTruncate; no step of a plan.</summary>
    TruncateOpened,
}

/// <summary>Names, files and descriptors.</summary>
internal sealed class FileModel : IModel<FileModel>
{
    internal const int Kinds = (int)FileStep.Sync + 1;
    internal const int Names = 3;
    internal const int Slots = 2;
    internal const int GranuleBytes = 64;
    internal const int GranulesPerPage = 4096 / GranuleBytes;
    internal const int Pages = 3;

    private readonly int[] _names;
    private readonly Descriptor[] _descriptors;
    private readonly List<byte[]> _files;

    /// <param name="IsToBeCut">open(O_TRUNC) has looked the file up and not emptied it yet.</param>
    private record struct Descriptor(int File, int Position, bool Appends, bool IsToBeCut);

    internal FileModel(int programs)
    {
        _names = [.. Enumerable.Repeat(-1, Names)];
        _descriptors = [.. Enumerable.Repeat(new Descriptor(-1, 0, false, false), programs * Slots)];
        _files = [];
    }

    private FileModel(FileModel other)
    {
        _names = [.. other._names];
        _descriptors = [.. other._descriptors];
        _files = [.. other._files];
    }

    public string Key =>
        string.Join(',', _names) + "|" + string.Join(',', _descriptors.Select(d => $"{d.File}.{d.Position}.{d.Appends}.{d.IsToBeCut}"))
        + "|" + string.Join(',', _files.Select(Convert.ToHexString));

    /// <summary>
    /// open(O_TRUNC) looks the file up (or makes it), and empties what it has found afterwards: Linux's do_open calls handle_truncate at
    /// its end. What others write between the two is lost. A file that the call has made is not emptied.
    /// </summary>
    public static IEnumerable<HistoryCall> PiecesOf(HistoryCall call)
    {
        yield return call;
        if ((FileStep)call.Step.Kind == FileStep.OpenTruncate)
        {
            yield return call with { Step = call.Step with { Kind = (int)FileStep.TruncateOpened } };
        }
    }

    public FileModel Copy() => new(this);

    public bool Explains(HistoryCall call)
    {
        if ((FileStep)call.Step.Kind == FileStep.TruncateOpened)
        {
            TruncateOpened(ref _descriptors[(call.Program * Slots) + SlotOf(call.Step)]);
            return true;
        }

        long result = Do(call.Program, call.Step, out byte[] bytes);
        return result == call.Result && bytes.AsSpan().SequenceEqual(call.Bytes);
    }

    internal static string Describe(Step step)
    {
        string slot = $"fd{SlotOf(step)}";
        string name = $"f{NameOf(step)}";
        return (FileStep)step.Kind switch
        {
            FileStep.Open => $"{slot} = open({name})",
            FileStep.OpenCreate => $"{slot} = open({name}, CREAT)",
            FileStep.OpenTruncate => $"{slot} = open({name}, CREAT|TRUNC)",
            FileStep.OpenExclusive => $"{slot} = open({name}, CREAT|EXCL)",
            FileStep.OpenAppend => $"{slot} = open({name}, CREAT|APPEND)",
            FileStep.Close => $"close({slot})",
            FileStep.WriteAt => $"pwrite({slot}, {ValueOf(step)} x {CountOf(step)} at {OffsetOf(step)})",
            FileStep.Write => $"write({slot}, {ValueOf(step)} x {CountOf(step)})",
            FileStep.ReadAt => $"pread({slot}, page {PageOf(step)})",
            FileStep.Truncate => $"ftruncate({slot}, {OffsetOf(step)})",
            FileStep.Allocate => $"fallocate({slot}, {OffsetOf(step)} + {CountOf(step)})",
            FileStep.Size => $"fstat({slot})",
            FileStep.Unlink => $"unlink({name})",
            FileStep.Rename => $"rename({name}, f{SecondNameOf(step)})",
            _ => $"fsync({slot})",
        };
    }

    internal static int SlotOf(Step step) => step.A % Slots;

    internal static int NameOf(Step step) => step.B % Names;

    internal static int SecondNameOf(Step step) => step.C % Names;

    internal static int PageOf(Step step) => step.B % Pages;

    /// <summary>Granules, within one page.</summary>
    internal static int OffsetOf(Step step) => (PageOf(step) * GranulesPerPage) + (step.C * (GranulesPerPage / 16));

    internal static int CountOf(Step step) => 1 + ((step.A >> 1) % 4);

    internal static byte ValueOf(Step step) => (byte)(1 + (step.A * 16) + step.C);

    private long Do(int program, Step step, out byte[] bytes)
    {
        bytes = [];
        ref Descriptor slot = ref _descriptors[(program * Slots) + SlotOf(step)];
        ref int name = ref _names[NameOf(step)];
        switch ((FileStep)step.Kind)
        {
            case FileStep.Open:
            case FileStep.OpenCreate:
            case FileStep.OpenTruncate:
            case FileStep.OpenExclusive:
            case FileStep.OpenAppend:
                return Open((FileStep)step.Kind, ref slot, ref name);
            case FileStep.Unlink:
                bool exists = name >= 0;
                name = -1;
                return exists ? 0 : -(long)Errno.ENOENT;
            case FileStep.Rename:
                return Rename(ref name, ref _names[SecondNameOf(step)]);
        }

        if (slot.File < 0)
        {
            return -(long)Errno.EBADF;
        }

        byte[] file = _files[slot.File];
        switch ((FileStep)step.Kind)
        {
            case FileStep.Close:
                slot.File = -1;
                return 0;
            case FileStep.WriteAt:
            case FileStep.Write:
                bool atOffset = (FileStep)step.Kind == FileStep.WriteAt;
                int at = slot.Appends ? file.Length : atOffset ? OffsetOf(step) : slot.Position;
                byte[] written = Resized(file, Math.Max(file.Length, at + CountOf(step)));
                written.AsSpan(at, CountOf(step)).Fill(ValueOf(step));
                _files[slot.File] = written;
                slot.Position = atOffset ? slot.Position : at + CountOf(step);
                return CountOf(step) * GranuleBytes;
            case FileStep.ReadAt:
                int from = Math.Min(file.Length, PageOf(step) * GranulesPerPage);
                bytes = file.AsSpan(from, Math.Min(GranulesPerPage, file.Length - from)).ToArray();
                return bytes.Length * GranuleBytes;
            case FileStep.Truncate:
                _files[slot.File] = Resized(file, OffsetOf(step));
                return 0;
            case FileStep.Allocate:
                _files[slot.File] = Resized(file, Math.Max(file.Length, OffsetOf(step) + CountOf(step)));
                return 0;
            case FileStep.Size:
                return file.Length * GranuleBytes;
            default:
                return 0;
        }
    }

    private long Open(FileStep kind, ref Descriptor slot, ref int name)
    {
        if (slot.File >= 0)
        {
            return -(long)Errno.EBUSY;
        }

        bool exists = name >= 0;
        if (!exists)
        {
            if (kind == FileStep.Open)
            {
                return -(long)Errno.ENOENT;
            }

            name = _files.Count;
            _files.Add([]);
        }
        else if (kind == FileStep.OpenExclusive)
        {
            return -(long)Errno.EEXIST;
        }

        slot = new Descriptor(name, 0, kind == FileStep.OpenAppend, exists && kind == FileStep.OpenTruncate);
        return 0;
    }

    private void TruncateOpened(ref Descriptor slot)
    {
        if (slot.IsToBeCut)
        {
            _files[slot.File] = [];
            slot.IsToBeCut = false;
        }
    }

    private static long Rename(ref int from, ref int to)
    {
        if (from < 0)
        {
            return -(long)Errno.ENOENT;
        }

        int file = from;
        from = -1;
        to = file;
        return 0;
    }

    private static byte[] Resized(byte[] file, int granules)
    {
        byte[] copy = new byte[granules];
        file.AsSpan(0, Math.Min(granules, file.Length)).CopyTo(copy);
        return copy;
    }
}
