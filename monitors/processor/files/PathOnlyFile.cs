// Files opened with O_PATH (open(2)): a name to start other calls from, not opened for reading or writing. BLOCKS for messages.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of O_PATH files: EBADF for all that touches contents.</summary>
public sealed unsafe class PathOnlyFile(FileSystem files) : FileOperations(files)
{
    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to) => CallResult.Fail(Errno.EBADF);

    public override long Write(Process* process, OpenFile* file, ref ulong position, ref IoVector from) => CallResult.Fail(Errno.EBADF);

    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) => CallResult.Fail(Errno.EBADF);

    public override long ReadDirectory(Process* process, OpenFile* file, ref IoVector to) => CallResult.Fail(Errno.EBADF);

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        return file->Node == null
            ? PseudoTree.Status(process, file->Pseudo, out status)
            : (file->Node->Mode & FileMode.TypeMask) == FileMode.Regular
                ? Files.OperationsOf(FileKind.Regular).Status(process, file, out status)
                : Files.OperationsOf(FileKind.Directory).Status(process, file, out status);
    }

    public override PollEvents Poll(OpenFile* file) => PollEvents.Invalid;

    public override long Control(Process* process, OpenFile* file, uint request, ulong argument) => CallResult.Fail(Errno.EBADF);

    public override int Describe(OpenFile* file, Span<byte> text) =>
        file->Node == null ? PseudoTree.PathOf(file->Pseudo, text) : RegularFile.DescribeNode(file->Node, text);

    public override void Close(OpenFile* file)
    {
        if (file->Node != null)
        {
            Files.Nodes.Release(file->Node);
        }
    }
}
