// /proc/PID/fdinfo/N (proc_pid_fdinfo(5)): position and flags of an open file. Never blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Writer of texts about a descriptor.</summary>
public static unsafe class DescriptorTexts
{
    private const uint VolumeMount = 1;
    private const uint OtherMount = 2;

    /// <summary>Writes the text. ENOENT when the descriptor or its process has gone.</summary>
    public static Errno Write(Processes processes, PseudoNode node, ref TextBuffer text)
    {
        OpenFile* file = PseudoTree.DescriptorFile(processes, node);
        if (file == null)
        {
            return Errno.ENOENT;
        }

        bool closes = FileTable.Of(processes.Find(node.ProcessId))->IsCloseOnExec((ulong)node.Descriptor);
        text.AppendLine("pos:\t"u8, file->Offset);
        text.Append("flags:\t0"u8);
        text.AppendOctal((ulong)(file->Flags | (closes ? OpenFlags.CloseOnExec : 0)), 1);
        text.Append((byte)'\n');
        text.AppendLine("mnt_id:\t"u8, file->Node != null ? VolumeMount : OtherMount);
        text.AppendLine("ino:\t"u8, InodeOf(file));
        if (file->Kind == FileKind.Process)
        {
            Process* subject = file->Subject.Find(processes);
            text.Append("Pid:\t"u8);
            text.AppendSigned(subject == null ? -1 : subject->Id);
            text.Append((byte)'\n');
        }

        return Errno.None;
    }

    private static uint InodeOf(OpenFile* file) =>
        file->Node != null ? file->Node->Handle.Inode : file->Pipe != null ? file->Pipe->Inode : PseudoTree.InodeOf(file->Pseudo);
}
