// rename, renameat, renameat2 (rename(2)): the storage component moves the name; what is told here of open files, programs and watches
// follows. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that move names.</summary>
public static unsafe class Renames
{
    private const uint RenameNoReplace = 1;
    private const uint RenameExchange = 2;
    private const uint RenameWhiteout = 4;
    /// <summary>A path that no file has: of what is moved out of the way while two names are exchanged.</summary>
    private static ReadOnlySpan<byte> BetweenNames => "\0"u8;

    private static ulong CurrentDirectory => unchecked((ulong)PathName.CurrentDirectory);

    [SystemCall(82, "rename", Support.Full)]
    internal static long Rename(ref SystemCall call) => Rename(call.Process, CurrentDirectory, call.A0, CurrentDirectory, call.A1, 0);

    [SystemCall(264, "renameat", Support.Full)]
    internal static long RenameAt(ref SystemCall call) => Rename(call.Process, call.A0, call.A1, call.A2, call.A3, 0);

    [SystemCall(316, "renameat2", Support.Partial, "RENAME_NOREPLACE alone in /dev/shm: EINVAL")]
    internal static long RenameAt2(ref SystemCall call) => Rename(call.Process, call.A0, call.A1, call.A2, call.A3, (uint)call.A4);

    private static long Rename(Process* process, ulong oldDirectory, ulong oldAddress, ulong newDirectory, ulong newAddress, uint flags)
    {
        bool contradicts = (flags & RenameExchange) != 0 && flags != RenameExchange;
        if ((flags & ~(RenameNoReplace | RenameExchange | RenameWhiteout)) != 0 || contradicts)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using PathName oldPath = PathName.FromUser(process, oldDirectory, oldAddress);
        using PathName newPath = PathName.FromUser(process, newDirectory, newAddress);
        Errno error = oldPath.Error != Errno.None ? oldPath.Error : newPath.Error;
        PseudoNode old = default;
        if (error == Errno.None)
        {
            error = Links.OnVolume(process, in oldPath, Errno.EXDEV, out old);
        }

        if (error == Errno.EXDEV && old.File == PseudoFile.SharedMemoryFile)
        {
            error = (flags & (RenameExchange | RenameWhiteout)) != 0 ? Errno.EINVAL : Links.InSharedMemory(process, in newPath);
            return SystemCall.Result(error != Errno.None ? error : FileSystem.Of(process).SharedMemory.Rename(
                process, old, PathText.LastComponent(newPath.Text), replaces: (flags & RenameNoReplace) == 0));
        }

        if (error == Errno.None)
        {
            error = Links.OnVolume(process, in newPath, Errno.EXDEV, out _);
        }

        return error != Errno.None ? SystemCall.Fail(error) : SystemCall.Result(Rename(process, in oldPath, in newPath, flags));
    }

    private static Errno Rename(Process* process, in PathName oldPath, in PathName newPath, uint flags)
    {
        FileSystem files = FileSystem.Of(process);
        FileCaller caller = FileCaller.Of(process);
        bool exchanges = (flags & RenameExchange) != 0;
        PathFlags pathFlags = (exchanges ? PathFlags.Exchange : PathFlags.None)
            | ((flags & RenameNoReplace) != 0 ? PathFlags.NoReplace : PathFlags.None)
            | ((flags & RenameWhiteout) != 0 ? PathFlags.Whiteout : PathFlags.None);
        // Whoever watches is told what was moved; its type and its watches are known by its node.
        FileNode* found = null;
        using NodeRef moved = files.Inotify.IsWatching
            && FileOpening.FindFile(process, oldPath.Volume, OpenFlags.NoFollow, 0, out found) == Errno.None
            ? NodeRef.Adopt(found)
            : default;
        found = null;
        using NodeRef other = exchanges && files.Inotify.IsWatching
            && FileOpening.FindFile(process, newPath.Volume, OpenFlags.NoFollow, 0, out found) == Errno.None
            ? NodeRef.Adopt(found)
            : default;
        using TransferBuffer buffer = FileSystem.Of(process).Buffers.Take();
        bool isAtMemory = true;
        ReleaseRecord released = exchanges ? default : Links.TakeKept(in caller, newPath.Volume, out isAtMemory);
        Errno error = StorageClient.Rename(
            in caller, in buffer, oldPath.Volume, newPath.Volume, pathFlags, in released, out RenameReply reply,
            out ReadOnlySpan<byte> canonicalOld,
            out ReadOnlySpan<byte> canonicalNew);
        if (error == Errno.None)
        {
            if (canonicalOld.Length != 0 && canonicalNew.Length != 0)
            {
                MovedPaths(files, caller.Context.VNode, canonicalOld, canonicalNew, exchanges);
                if (!moved.IsNone)
                {
                    TellMoved(files.Inotify, caller.Context.VNode, moved.Node, canonicalOld, canonicalNew);
                    files.Inotify.TellSelf(files.Nodes.Find(caller.Place.Storage, in reply.Replaced), InotifyMask.Attributes);
                    files.Inotify.TellSelf(moved.Node, InotifyMask.MoveSelf);
                }

                if (!other.IsNone)
                {
                    TellMoved(files.Inotify, caller.Context.VNode, other.Node, canonicalNew, canonicalOld);
                    files.Inotify.TellSelf(other.Node, InotifyMask.MoveSelf);
                }
            }

            bool isSame = reply.Replaced.Inode == released.Entry.Handle.Inode
                && reply.Replaced.Generation == released.Entry.Handle.Generation;
            FileSystem.Of(process)
                .Nodes.OnLostName(in caller, in reply.Replaced, reply.ReplacedLinksLeft, reply.Flags, isAtMemory || !isSame);
        }

        return error;
    }

    private static void TellMoved(
        Inotify inotify, ushort vnode, FileNode* node, scoped ReadOnlySpan<byte> oldPath, scoped ReadOnlySpan<byte> newPath)
    {
        uint cookie = inotify.NextCookie();
        InotifyMask type = Inotify.TypeOf(node);
        inotify.TellName(vnode, PathText.DirectoryOf(oldPath), PathText.LastComponent(oldPath), InotifyMask.MovedFrom | type, cookie);
        inotify.TellName(vnode, PathText.DirectoryOf(newPath), PathText.LastComponent(newPath), InotifyMask.MovedTo | type, cookie);
        if (PathText.DirectoryOf(oldPath).SequenceEqual(PathText.DirectoryOf(newPath)))
        {
            inotify.TellName(vnode, PathText.DirectoryOf(newPath), PathText.LastComponent(newPath), InotifyMask.RenamedHere, cookie);
        }
    }

    private static void MovedPaths(FileSystem files, ushort vnode, ReadOnlySpan<byte> oldPath, ReadOnlySpan<byte> newPath, bool exchanges)
    {
        if (exchanges)
        {
            Moved(files, vnode, newPath, BetweenNames);
        }

        Moved(files, vnode, oldPath, newPath);
        if (exchanges)
        {
            Moved(files, vnode, BetweenNames, oldPath);
        }
    }

    /// <summary>The paths that are told of open files, working directories and programs below a moved name follow it.</summary>
    private static void Moved(FileSystem files, ushort vnode, ReadOnlySpan<byte> oldPath, ReadOnlySpan<byte> newPath)
    {
        files.Nodes.Rebase(vnode, oldPath, newPath);
        files.Inotify.OnMoved();
        byte* page = (byte*)files.Frames.Allocate();
        if (page == null)
        {
            return;
        }

        Span<byte> rebased = new(page, PageOperations.PageSize);
        for (Process* process = files.Processes.First; process != null; process = process->Next)
        {
            if (process->VNode == vnode
                && PathText.TryRebase(Processes.TextOf(process->Executable), oldPath, newPath, rebased, out int length))
            {
                Processes.SetText(process->Executable, rebased.Slice(0, length));
            }
        }

        files.Frames.Free(page);
    }
}
