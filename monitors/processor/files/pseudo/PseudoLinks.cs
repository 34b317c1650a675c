// Where the symbolic links of /proc and /dev lead. Never blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Targets of links.</summary>
public static unsafe class PseudoLinks
{
    /// <summary>Room for the path of any entry that is served here.</summary>
    public const int MaxPathBytes = 128;

    /// <summary>
    /// The target of a link; relative ones are relative to the link's directory. ENOENT when the process has gone, EACCES when it is
    /// another user's.
    /// </summary>
    public static Errno Target(Process* caller, PseudoNode link, Span<byte> target, out int lengthBytes)
    {
        TextBuffer text = new(target);
        lengthBytes = 0;
        Process* process = PseudoTree.BelongsToProcess(link.File) ? Visibility.FindProcess(caller, link.ProcessId) : caller;
        if (process == null)
        {
            return Errno.ENOENT;
        }

        if (!FileAccess.MayInspect(caller, process))
        {
            return Errno.EACCES;
        }

        switch (link.File)
        {
            case PseudoFile.ProcSelf:
                text.AppendNumber(caller->Id);
                break;
            case PseudoFile.ProcThreadSelf:
                text.AppendNumber(caller->Id);
                text.Append("/task/"u8);
                text.AppendNumber(UserThread.ActingFor(caller)->Id);
                break;
            case PseudoFile.ProcMounts:
                text.Append("self/mounts"u8);
                break;
            case PseudoFile.ProcessCwd:
                return DescribeCwd(process, target, out lengthBytes);
            case PseudoFile.ProcessExe:
                text.Append(Processes.TextOf(process->Executable));
                break;
            case PseudoFile.ProcessRoot:
                text.Append((byte)'/');
                break;
            case PseudoFile.DevFd:
                text.Append("/proc/self/fd"u8);
                break;
            case PseudoFile.DevStandardInput:
                text.Append("/proc/self/fd/0"u8);
                break;
            case PseudoFile.DevStandardOutput:
                text.Append("/proc/self/fd/1"u8);
                break;
            case PseudoFile.DevStandardError:
                text.Append("/proc/self/fd/2"u8);
                break;
            case PseudoFile.ProcessDescriptor:
                OpenFile* file = PseudoTree.DescriptorFile(caller->Table, link);
                if (file == null)
                {
                    return Errno.ENOENT;
                }

                lengthBytes = file->Operations.Describe(file, target);
                return Errno.None;
            default:
                return Errno.EINVAL;
        }

        lengthBytes = text.Text.Length;
        return lengthBytes == 0 ? Errno.ENOENT : Errno.None;
    }

    /// <summary>
    /// The open directory that a link leads to, or null when it leads to a path. ENOENT, ENOTDIR: a descriptor of something else in the
    /// middle of a path; EACCES.
    /// </summary>
    public static Errno Directory(Process* caller, PseudoNode link, out FileNode* directory)
    {
        directory = null;
        if (link.File is not (PseudoFile.ProcessCwd or PseudoFile.ProcessDescriptor))
        {
            return Errno.None;
        }

        Process* process = Visibility.FindProcess(caller, link.ProcessId);
        if (process == null || !FileAccess.MayInspect(caller, process))
        {
            return process == null ? Errno.ENOENT : Errno.EACCES;
        }

        if (link.File == PseudoFile.ProcessCwd)
        {
            directory = process->Resources == null ? null : WorkingDirectory.Of(process).Node;
            return Errno.None;
        }

        OpenFile* file = PseudoTree.DescriptorFile(caller->Table, link);
        if (file == null || file->Node == null)
        {
            // A directory that is served here has a path that leads to it.
            return file == null ? Errno.ENOENT : PseudoTree.IsDirectory(file->Pseudo.File) ? Errno.None : Errno.ENOTDIR;
        }

        directory = file->Node;
        return directory->IsDirectory ? Errno.None : Errno.ENOTDIR;
    }

    private static Errno DescribeCwd(Process* process, Span<byte> target, out int lengthBytes)
    {
        if (process->Resources == null)
        {
            // Process 1 is nothing but a name in the root; one that has ended is nowhere.
            bool hasEnded = process->State == ProcessState.Zombie;
            lengthBytes = hasEnded ? 0 : CopyRoot(target);
            return hasEnded ? Errno.ENOENT : Errno.None;
        }

        ref WorkingDirectory cwd = ref WorkingDirectory.Of(process);
        lengthBytes = cwd.IsPseudo ? PseudoTree.PathOf(cwd.Pseudo, target)
            : cwd.Node != null ? RegularFile.DescribeNode(cwd.Node, target)
            : CopyRoot(target);
        return Errno.None;
    }

    private static int CopyRoot(Span<byte> target)
    {
        target[0] = (byte)'/';
        return 1;
    }
}
