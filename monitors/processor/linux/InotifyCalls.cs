// inotify_init, inotify_init1, inotify_add_watch, inotify_rm_watch (inotify(7)). What is watched and what it reports is in
// files/events/inotify. BLOCKS.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that watch files.</summary>
public static unsafe class InotifyCalls
{
    private const string Limits =
        "what other components do is not told, nor opens and reads by execve; what is served in /proc, /sys and /dev is EOPNOTSUPP";

    [SystemCall(253, "inotify_init", Support.Full)]
    internal static long Create(ref SystemCall call) => Create(ref call, OpenFlags.ReadOnly);

    [SystemCall(294, "inotify_init1", Support.Full)]
    internal static long Create1(ref SystemCall call)
    {
        OpenFlags flags = (OpenFlags)(uint)call.A0;
        return (flags & ~(OpenFlags.CloseOnExec | OpenFlags.NonBlocking)) != 0
            ? SystemCall.Fail(Errno.EINVAL)
            : Create(ref call, flags);
    }

    [SystemCall(254, "inotify_add_watch", Support.Partial, Limits)]
    internal static long Add(ref SystemCall call)
    {
        InotifyMask mask = (InotifyMask)(uint)call.A2;
        bool isTwice = (mask & InotifyMask.MaskAdd) != 0 && (mask & InotifyMask.MaskCreate) != 0;
        if ((mask & InotifyMask.Known) == 0 || (mask & ~InotifyMask.Known) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad || descriptor.File->IsPathOnly)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        if (isTwice || descriptor.File->Kind != FileKind.Inotify)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        using PathName path = PathName.FromUser(call.Process, call.A1);
        FileNode* found = null;
        Errno error = path.Error != Errno.None ? path.Error : Find(call.Process, in path, mask, out found);
        using NodeRef node = NodeRef.Adopt(found);
        int number = 0;
        error = error == Errno.None ? call.Files.Inotify.Watch(descriptor.File->Inotify, node.Node, mask, out number) : error;
        return SystemCall.Result(error, number);
    }

    [SystemCall(255, "inotify_rm_watch", Support.Full)]
    internal static long Remove(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        return descriptor.IsBad || descriptor.File->IsPathOnly ? SystemCall.Fail(Errno.EBADF)
            : descriptor.File->Kind != FileKind.Inotify ? SystemCall.Fail(Errno.EINVAL)
            : SystemCall.Result(call.Files.Inotify.Remove(descriptor.File->Inotify, (int)call.A1));
    }

    private static long Create(ref SystemCall call, OpenFlags flags)
    {
        Errno error = InotifyFile.Open(call.Files, call.Process->UserId, flags & OpenFlags.NonBlocking, out OpenFile* file);
        return error != Errno.None
            ? SystemCall.Fail(error)
            : DescriptorCalls.Install(call.Process, file, (flags & OpenFlags.CloseOnExec) != 0);
    }

    /// <summary>The file to watch, which its watcher may read; the node has one reference for the caller.</summary>
    private static Errno Find(Process* process, in PathName path, InotifyMask mask, out FileNode* node)
    {
        node = null;
        LastLink last = (mask & InotifyMask.DoNotFollow) != 0 ? LastLink.Keep : LastLink.Follow;
        Errno error = path.Resolve(process, last, out PseudoNode pseudo);
        if (error != Errno.None || pseudo.File != PseudoFile.None)
        {
            return error != Errno.None ? error : Errno.EOPNOTSUPP;
        }

        OpenFlags flags = last == LastLink.Keep ? OpenFlags.NoFollow : OpenFlags.ReadOnly;
        flags |= (mask & InotifyMask.OnlyDirectory) != 0 ? OpenFlags.Directory : OpenFlags.ReadOnly;
        return FileOpening.FindFile(process, path.Volume, flags, FileAccess.Read, out node);
    }
}
