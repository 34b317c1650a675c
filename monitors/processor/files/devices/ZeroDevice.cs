// /dev/zero and /dev/full (zero(4), full(4)): endless zeros; writes vanish, or fail with ENOSPC. Copies BLOCK.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of /dev/zero; /dev/full refines them.</summary>
public unsafe class ZeroDevice(FileSystem files) : FileOperations(files)
{
    /// <summary>A page of zeros that readers copy from, taken at boot.</summary>
    private readonly byte* _zeros = files.ZeroPage;

    public override bool IsSeekable => true;

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        long total = 0;
        while (to.RemainingBytes != 0)
        {
            Errno error = to.Give(new ReadOnlySpan<byte>(_zeros, (int)Math.Min(to.RemainingBytes, PageOperations.PageSize)), out int moved);
            total += moved;
            if (error != Errno.None)
            {
                return total != 0 ? total : CallResult.Fail(error);
            }

            if (to.RemainingBytes != 0 && Signals.IsPending(UserThread.ActingFor(process)))
            {
                break;
            }
        }

        return total;
    }

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from) => (long)from.RemainingBytes;

    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) => 0;

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = PseudoTree.StatusOf(file->Pseudo);
        return Errno.None;
    }

    public override int Describe(OpenFile* file, Span<byte> text) => PseudoTree.PathOf(file->Pseudo, text);
}

/// <summary>Operations of /dev/full.</summary>
public sealed unsafe class FullDevice(FileSystem files) : ZeroDevice(files)
{
    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from) => CallResult.Fail(Errno.ENOSPC);
}
