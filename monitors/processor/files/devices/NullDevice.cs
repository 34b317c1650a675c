// /dev/null (null(4)): writes vanish, reads end.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of /dev/null.</summary>
public sealed unsafe class NullDevice(FileSystem files) : FileOperations(files)
{
    public override bool IsSeekable => true;

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to) => 0;

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from) => (long)from.RemainingBytes;

    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) => 0;

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = PseudoTree.StatusOf(file->Pseudo);
        return Errno.None;
    }

    public override int Describe(OpenFile* file, Span<byte> text) => PseudoTree.PathOf(file->Pseudo, text);
}
