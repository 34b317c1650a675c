// Open texts of /proc and /sys. Each read writes the whole text anew into a window of the size asked for (TextBuffer), so an open text
// needs no memory and always tells the present. Some texts look into a program's memory: reads BLOCK.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of pseudo-texts.</summary>
public sealed unsafe class PseudoTextFile(FileSystem files) : FileOperations(files)
{
    public override bool IsSeekable => true;

    public override bool HasPosition => true;

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        if (file->Pseudo.File == PseudoFile.ProcessMemory)
        {
            Process* target = Visibility.FindProcess(process, file->Pseudo.ProcessId);
            return target == null ? 0 : ProcessMemoryTexts.Memory(target, ref position, ref to);
        }

        byte* page = (byte*)Files.Frames.Allocate();
        if (page == null)
        {
            return CallResult.Fail(Errno.ENOMEM);
        }

        long total = 0;
        Errno error = Errno.None;
        while (to.RemainingBytes != 0 && error == Errno.None)
        {
            int wanted = (int)Math.Min(to.RemainingBytes, PageOperations.PageSize);
            TextBuffer text = new(new Span<byte>(page, wanted), position);
            error = PseudoTexts.Write(process, file->Pseudo, ref text);
            if (error != Errno.None || text.Text.IsEmpty)
            {
                break;
            }

            error = to.Give(text.Text, out int moved);
            position += (ulong)moved;
            total += moved;
        }

        Files.Frames.Free(page);
        return total != 0 ? total : CallResult.Of(error);
    }

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from)
    {
        long written = PseudoSettings.Write(process, file->Pseudo, ref from);
        position += written > 0 ? (ulong)written : 0;
        return written;
    }

    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) =>
        Files.OperationsOf(FileKind.Directory).Seek(process, file, offset, origin);

    public override Errno Truncate(Process* process, OpenFile* file, ulong sizeBytes) => Errno.None;

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status) =>
        PseudoTree.Status(process, file->Pseudo, out status);

    public override int Describe(OpenFile* file, Span<byte> text) => PseudoTree.PathOf(file->Pseudo, text);
}
