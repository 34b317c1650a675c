// How a regular file gets another size (truncate(2)), and how far RLIMIT_FSIZE lets it grow (setrlimit(2)). BLOCKS for messages.

using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class RegularFile
{
    public override Errno Truncate(Process* process, OpenFile* file, ulong sizeBytes) => Truncate(process, file->Node, sizeBytes);

    /// <summary>Gives a file another size. ETXTBSY while it runs; with FileWriteFlags.GrowOnly a longer one stays as it is. EFBIG with
    /// SIGXFSZ above RLIMIT_FSIZE.</summary>
    internal static Errno Truncate(Process* process, FileNode* node, ulong sizeBytes, FileWriteFlags flags = FileWriteFlags.None)
    {
        Errno error = CheckLimit(process, sizeBytes);
        if (error != Errno.None)
        {
            return error;
        }

        return FileSystem.Of(process).Mappings.IsProgram(node) ? Errno.ETXTBSY : Resize(process, node, sizeBytes, flags);
    }

    /// <summary>EFBIG, with SIGXFSZ: a size above RLIMIT_FSIZE.</summary>
    internal static Errno CheckLimit(Process* process, ulong sizeBytes)
    {
        if (RoomBelowLimit(process, 0) >= sizeBytes)
        {
            return Errno.None;
        }

        Signals.Send(process, SignalInfo.FromKernel(Signal.FileSize));
        return Errno.EFBIG;
    }

    /// <summary>Gives a file another size, whatever the limits say; mappings follow. The caller holds the node.</summary>
    internal static Errno Resize(Process* process, FileNode* node, ulong sizeBytes, FileWriteFlags flags)
    {
        FileCaller caller = FileCaller.Of(process, node);
        StorageClient.DropSetId(in caller, node);
        node->IsAtMemory = true;
        FileMappings mappings = FileSystem.Of(process).Mappings;
        MemoryFile.BeginChange(node->Memory);
        Errno error = CheckSize(in caller, node, sizeBytes, flags);
        uint backing = 0;
        error = error != Errno.None ? error : mappings.BeginChange(node, 0, ulong.MaxValue, out backing);
        if (error != Errno.None)
        {
            MemoryFile.EndChange(node->Memory);
            return error;
        }

        error = FileClient.Truncate(in caller, in node->Handle, node->Path, sizeBytes, flags);
        if (error == Errno.None && (flags & FileWriteFlags.GrowOnly) == 0)
        {
            mappings.Resized(node, sizeBytes);
        }
        else
        {
            mappings.MayHaveChanged(node);
        }

        MemoryFile.EndChange(node->Memory);
        mappings.EndChange(node, backing);
        return error;
    }

    private static Errno CheckSize(in FileCaller caller, FileNode* node, ulong sizeBytes, FileWriteFlags flags)
    {
        if (node->Memory == null || node->Memory->Seals == FileSeals.None)
        {
            return Errno.None;
        }

        Errno error = FileClient.Status(in caller, node, out FileAttributes attributes);
        bool stays = (flags & FileWriteFlags.GrowOnly) != 0 && sizeBytes <= attributes.Size;
        return error != Errno.None || stays ? error : node->Memory->CheckResize(sizeBytes, attributes.Size);
    }

    /// <summary>RLIMIT_FSIZE leaves no room: SIGXFSZ and EFBIG (setrlimit(2)).</summary>
    private static long TooLarge(Process* process)
    {
        Signals.Send(process, SignalInfo.FromKernel(Signal.FileSize));
        return CallResult.Fail(Errno.EFBIG);
    }

    /// <summary>Where an append will begin, as far as RLIMIT_FSIZE needs to know; costs a message only when there is a limit.</summary>
    private static Errno EndForLimit(Process* process, OpenFile* file, out ulong end)
    {
        end = 0;
        if (process->Limits[2 * ResourceLimit.FileSize] == ulong.MaxValue)
        {
            return Errno.None;
        }

        FileCaller caller = FileCaller.Of(process);
        Errno error = FileClient.Status(in caller, file->Node, out FileAttributes attributes);
        end = attributes.Size;
        return error;
    }

    private static ulong RoomBelowLimit(Process* process, ulong position)
    {
        ulong limit = process->Limits[2 * ResourceLimit.FileSize];
        return limit <= position ? 0 : limit - position;
    }
}
