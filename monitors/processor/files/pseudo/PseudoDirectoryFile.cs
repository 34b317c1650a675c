// Open directories of /proc, /sys and /dev. The position is a cookie of PseudoTree.TryNext, after one each for "." and "..", so that a
// reader goes on where it was although processes come and go. Copies BLOCK.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of pseudo-directories.</summary>
public sealed unsafe class PseudoDirectoryFile(FileSystem files) : FileOperations(files)
{
    private const int MaxNameBytes = 32;
    private const ulong FirstEntry = 2;

    public override bool IsSeekable => true;

    public override bool HasPosition => true;

    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to) => CallResult.Fail(Errno.EISDIR);

    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) =>
        Files.OperationsOf(FileKind.Directory).Seek(process, file, offset, origin);

    public override long ReadDirectory(Process* process, OpenFile* file, ref IoVector to)
    {
        DirectoryWriter writer = new(to);
        Errno error = Errno.None;
        Span<byte> nameBytes = stackalloc byte[MaxNameBytes];
        while (error == Errno.None && !writer.IsFull)
        {
            ulong next;
            if (file->Offset < FirstEntry)
            {
                next = file->Offset + 1;
                PseudoNode directory = file->Offset == 0 ? file->Pseudo : PseudoTree.ParentOf(file->Pseudo);
                error = writer.Add(PseudoTree.InodeOf(directory), next, FileMode.Directory >> 12, file->Offset == 0 ? "."u8 : ".."u8);
            }
            else if (file->Pseudo.File == PseudoFile.DevSharedMemory)
            {
                SharedMemoryName* entry = Files.SharedMemory.FindFrom(process->VNode, (uint)(file->Offset - FirstEntry));
                if (entry == null)
                {
                    break;
                }

                next = entry->Number + 1 + FirstEntry;
                error = writer.Add(entry->Node->Handle.Inode, next, FileMode.Regular >> 12, entry->Text);
            }
            else
            {
                if (!PseudoTree.TryNext(process, file->Pseudo, file->Offset - FirstEntry, out PseudoNode child, out ulong cookie))
                {
                    break;
                }

                next = cookie + FirstEntry;
                TextBuffer name = new(nameBytes);
                PseudoTree.AppendName(child, ref name);
                byte type = FileMode.EntryType(PseudoTree.StatusOf(child).Attributes.Mode);
                error = writer.Add(PseudoTree.InodeOf(child), next, type, name.Text);
            }

            if (error == Errno.None && !writer.IsFull)
            {
                file->Offset = next;
            }
        }

        return writer.Result(error);
    }

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status) =>
        PseudoTree.Status(process, file->Pseudo, out status);

    public override int Describe(OpenFile* file, Span<byte> text) => PseudoTree.PathOf(file->Pseudo, text);
}
