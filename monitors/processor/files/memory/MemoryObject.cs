// Memory objects as files: opened by memfd_create(2), described, sealed (fcntl(2), "File Sealing"; order of errors as Linux's mm/memfd.c).
// BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>What is particular to files in memory.</summary>
public static unsafe class MemoryObject
{
    /// <summary>
    /// A new file without a name, open for reading and writing. Who writes through this descriptor is not counted: programs run although it
    /// is open, as on Linux. ENFILE, ENOMEM.
    /// </summary>
    public static Errno Create(Process* process, scoped ReadOnlySpan<byte> path, uint permissions, FileSeals seals, out OpenFile* file)
    {
        FileSystem files = FileSystem.Of(process);
        Errno error = FileOpening.Make(files, FileKind.Regular, OpenFlags.ReadWrite | OpenFlags.LargeFile, default, out file);
        if (error != Errno.None)
        {
            return error;
        }

        FileNode* node = files.Nodes.CreateObject(process, path, permissions);
        if (node == null)
        {
            files.OpenFiles.Free(file);
            file = null;
            return Errno.ENOMEM;
        }

        node->Memory->Seals = seals;
        file->Node = node;
        return Errno.None;
    }

    /// <summary>fstat(2). What mappings hold is counted as far as it was ever stored.</summary>
    public static Errno Status(Process* process, FileNode* node, out FileStatus status)
    {
        status = default;
        using NodeRef held = NodeRef.To(node);
        FileCaller caller = FileCaller.Of(process, node);
        Errno error = FileSystem.Of(process).Mappings.Publish(node, 0, ulong.MaxValue);
        error = error != Errno.None ? error : FileClient.Status(in caller, node, out status.Attributes);
        node->Memory->Describe(ref status);
        return error;
    }

    /// <summary>F_ADD_SEALS. EPERM: not writable, or sealed against it; EINVAL: no such seal; EBUSY: mapped for writing.</summary>
    public static Errno AddSeals(Process* process, OpenFile* file, FileSeals seals)
    {
        if (!file->IsWritable)
        {
            return Errno.EPERM;
        }

        if ((seals & ~FileSeals.All) != 0 || file->Node == null || file->Node->Memory == null)
        {
            return Errno.EINVAL;
        }

        using NodeRef node = NodeRef.To(file->Node);
        MemoryFile* memory = node.Node->Memory;
        using SleepLock.Guard sealing = memory->Sealing.Acquire();
        FileSeals before = memory->Seals;
        if ((before & FileSeals.Seal) != 0)
        {
            return Errno.EPERM;
        }

        memory->Seals |= memory->Implied(seals);
        memory->WaitForChanges();
        bool deniesWriting = (seals & FileSeals.Write & ~before) != 0;
        if (deniesWriting && (memory->Maps != 0 || IsMappedForWriting(process, node.Node)))
        {
            memory->Seals = before;
            return Errno.EBUSY;
        }

        return Errno.None;
    }

    /// <summary>
    /// Some mapping writes to it, or may come to. The memory component knows rights, but may still be taking the space of a process apart
    /// that has ended; this component knows who lives.
    /// </summary>
    private static bool IsMappedForWriting(Process* process, FileNode* node)
    {
        if (!FileSystem.Of(process).Mappings.IsShared(node))
        {
            return false;
        }

        FileCaller caller = FileCaller.Of(process, node);
        return FileClient.Status(in caller, in node->Handle, node->Path, out FileAttributes attributes) != Errno.None
            || attributes.Links != 0;
    }
}
