// /dev/random and /dev/urandom (random(4)): bytes from RandomBytes; writes are accepted and add nothing. Copies BLOCK.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of /dev/random and /dev/urandom.</summary>
public sealed unsafe class RandomDevice(FileSystem files) : FileOperations(files)
{
    private const int PieceBytes = 256;

    public override bool IsSeekable => true;

    /// <summary>It can be watched, although it never changes.</summary>
    public override Watchers* WatchersOf(OpenFile* file) => &file->OwnWatchers;

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to) => Deliver(process, ref to);

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from) => (long)from.RemainingBytes;

    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) => 0;

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = PseudoTree.StatusOf(file->Pseudo);
        return Errno.None;
    }

    public override int Describe(OpenFile* file, Span<byte> text) => PseudoTree.PathOf(file->Pseudo, text);

    /// <summary>
    /// Fills a program's buffer with random bytes (also getrandom(2)). EFAULT, EINTR after a signal and only after some bytes.
    /// </summary>
    public static long Deliver(Process* process, ref IoVector to)
    {
        Span<byte> piece = stackalloc byte[PieceBytes];
        long total = 0;
        while (to.RemainingBytes != 0)
        {
            Span<byte> part = piece.Slice(0, (int)Math.Min(to.RemainingBytes, PieceBytes));
            process->Table.Random.Fill(part);
            Errno error = to.Give(part, out int moved);
            total += moved;
            if (error != Errno.None)
            {
                return total != 0 ? total : CallResult.Fail(error);
            }

            if (Signals.IsPending(UserThread.ActingFor(process)))
            {
                break;
            }
        }

        return total;
    }
}
