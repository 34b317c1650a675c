// Where the symbolic links of /proc and /dev lead. Never blocks.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Targets of links.</summary>
public static unsafe class PseudoLinks
{
    /// <summary>
    /// Longest target that is told; longer ones are cut by readlink and ENAMETOOLONG when followed. Bounds a stack buffer.
    /// </summary>
    public const int MaxTargetBytes = 1024;

    /// <summary>
    /// The target of a link; relative ones are relative to the link's directory. ENOENT when the process has gone, EACCES when it is another
    /// user's.
    /// </summary>
    public static Errno Target(Process* caller, PseudoNode link, Span<byte> target, out int lengthBytes)
    {
        TextBuffer text = new(target);
        lengthBytes = 0;
        Process* process = PseudoTree.BelongsToProcess(link.File) ? caller->Table.Find(link.ProcessId) : caller;
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
                text.AppendNumber(caller->Id);
                break;
            case PseudoFile.ProcMounts:
                text.Append("self/mounts"u8);
                break;
            case PseudoFile.ProcessCwd:
                text.Append(Processes.TextOf(process->Cwd));
                break;
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
}
