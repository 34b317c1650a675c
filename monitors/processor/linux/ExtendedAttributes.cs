// Extended attributes (xattr(7)): of files of the volume; nothing else has any. Who may use which is the storage component's to say
// (monitors/storage/ExtendedRequests.cs). Buffers of no length ask for the length. BLOCKS.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>setxattr, getxattr, listxattr, removexattr and their kin.</summary>
public static unsafe class ExtendedAttributes
{
    private const string Kinds = "user., trusted. and security., of the volume's files, together at most a block; no access control lists";
    /// <summary>XATTR_SIZE_MAX, XATTR_LIST_MAX.</summary>
    private const ulong MostBytes = 65536;
    private const ulong CreateOnly = 1;
    private const ulong ReplaceOnly = 2;
    private const ushort Removes = 4;

    [SystemCall(188, "setxattr", Support.Partial, Kinds)]
    internal static long Set(ref SystemCall call) => Set(ref call, new Subject(LastLink.Follow));

    [SystemCall(189, "lsetxattr", Support.Partial, Kinds)]
    internal static long SetOfLink(ref SystemCall call) => Set(ref call, new Subject(LastLink.Keep));

    [SystemCall(190, "fsetxattr", Support.Partial, Kinds)]
    internal static long SetOfDescriptor(ref SystemCall call) => Set(ref call, Subject.Descriptor);

    [SystemCall(191, "getxattr", Support.Partial, Kinds)]
    internal static long Get(ref SystemCall call) => Get(ref call, new Subject(LastLink.Follow));

    [SystemCall(192, "lgetxattr", Support.Partial, Kinds)]
    internal static long GetOfLink(ref SystemCall call) => Get(ref call, new Subject(LastLink.Keep));

    [SystemCall(193, "fgetxattr", Support.Partial, Kinds)]
    internal static long GetOfDescriptor(ref SystemCall call) => Get(ref call, Subject.Descriptor);

    [SystemCall(194, "listxattr", Support.Partial, Kinds)]
    internal static long List(ref SystemCall call) => Read(ref call, new Subject(LastLink.Follow), default, call.A1, call.A2);

    [SystemCall(195, "llistxattr", Support.Partial, Kinds)]
    internal static long ListOfLink(ref SystemCall call) => Read(ref call, new Subject(LastLink.Keep), default, call.A1, call.A2);

    [SystemCall(196, "flistxattr", Support.Partial, Kinds)]
    internal static long ListOfDescriptor(ref SystemCall call) => Read(ref call, Subject.Descriptor, default, call.A1, call.A2);

    [SystemCall(197, "removexattr", Support.Partial, Kinds)]
    internal static long Remove(ref SystemCall call) => Remove(ref call, new Subject(LastLink.Follow));

    [SystemCall(198, "lremovexattr", Support.Partial, Kinds)]
    internal static long RemoveOfLink(ref SystemCall call) => Remove(ref call, new Subject(LastLink.Keep));

    [SystemCall(199, "fremovexattr", Support.Partial, Kinds)]
    internal static long RemoveOfDescriptor(ref SystemCall call) => Remove(ref call, Subject.Descriptor);

    /// <summary>What a call's first argument is: a path, or a descriptor.</summary>
    private readonly struct Subject(LastLink link)
    {
        internal LastLink Link { get; } = link;

        internal bool IsDescriptor { get; private init; }

        internal static Subject Descriptor => new(LastLink.Follow) { IsDescriptor = true };
    }

    private static long Set(ref SystemCall call, Subject subject)
    {
        if ((call.A4 & ~(CreateOnly | ReplaceOnly)) != 0)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Span<byte> name = stackalloc byte[AttributeRequest.MaxNameBytes + 1];
        Errno error = ReadName(ref call, name, out int length);
        name = name.Slice(0, length);
        if (error != Errno.None || call.A3 > MostBytes)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.E2BIG);
        }

        return Change(ref call, subject, name, new UserBuffer(call.A2, call.A3), (ushort)call.A4);
    }

    private static long Get(ref SystemCall call, Subject subject)
    {
        Span<byte> name = stackalloc byte[AttributeRequest.MaxNameBytes + 1];
        Errno error = ReadName(ref call, name, out int length);
        name = name.Slice(0, length);
        return error != Errno.None ? SystemCall.Fail(error) : Read(ref call, subject, name, call.A2, call.A3);
    }

    private static long Remove(ref SystemCall call, Subject subject)
    {
        Span<byte> name = stackalloc byte[AttributeRequest.MaxNameBytes + 1];
        Errno error = ReadName(ref call, name, out int length);
        name = name.Slice(0, length);
        return error != Errno.None ? SystemCall.Fail(error) : Change(ref call, subject, name, default, Removes);
    }

    /// <summary>ERANGE: there is no name, or it is longer than any.</summary>
    private static Errno ReadName(ref SystemCall call, scoped Span<byte> room, out int length)
    {
        Errno error = UserString.Copy(call.Process, call.A1, room, out length);
        length = Math.Min(length, AttributeRequest.MaxNameBytes);
        return error == Errno.ENAMETOOLONG || (error == Errno.None && length == 0) ? Errno.ERANGE : error;
    }

    private static long Read(ref SystemCall call, Subject subject, scoped ReadOnlySpan<byte> name, ulong address, ulong room)
    {
        using Descriptor descriptor = subject.IsDescriptor ? Descriptor.Of(call.Process, call.A0) : default;
        using PathName path = subject.IsDescriptor ? default : PathName.FromUser(call.Process, call.A0);
        Errno error = Find(ref call, subject, in descriptor, in path, out bool isOnVolume, out bool mayNotHave);
        if (error != Errno.None || !isOnVolume)
        {
            return error != Errno.None
                ? SystemCall.Fail(error)
                : name.Length == 0 ? 0 : SystemCall.Fail(mayNotHave && name.StartsWith("user."u8) ? Errno.ENODATA : Errno.EOPNOTSUPP);
        }

        FileCaller caller = FileCaller.Of(call.Process);
        using TransferBuffer buffer = call.Files.Buffers.Take();
        VolumePath volume = subject.IsDescriptor ? VolumePath.Of(descriptor.File->Node) : path.Volume;
        error = StorageClient.ReadAttribute(in caller, in buffer, in volume, FlagsOf(subject), name, out ReadOnlySpan<byte> value);
        bool isTooSmall = room != 0 && (ulong)value.Length > room;
        error = error == Errno.None && isTooSmall ? Errno.ERANGE : error;
        error = error == Errno.None && room != 0 ? new UserBuffer(address, room).CopyOut(call.Process, 0, value) : error;
        return SystemCall.Result(error, value.Length);
    }

    private static long Change(ref SystemCall call, Subject subject, scoped ReadOnlySpan<byte> name, UserBuffer value, ushort change)
    {
        using Descriptor descriptor = subject.IsDescriptor ? Descriptor.Of(call.Process, call.A0) : default;
        using PathName path = subject.IsDescriptor ? default : PathName.FromUser(call.Process, call.A0);
        Errno error = Find(ref call, subject, in descriptor, in path, out bool isOnVolume, out bool mayNotHave);
        if (error != Errno.None || !isOnVolume)
        {
            return SystemCall.Fail(error != Errno.None ? error : mayNotHave && name.StartsWith("user."u8) ? Errno.EPERM : Errno.EOPNOTSUPP);
        }

        if (value.LengthBytes > AttributeRequest.MaxValueBytes)
        {
            return SystemCall.Fail(Errno.ENOSPC);
        }

        FileCaller caller = FileCaller.Of(call.Process);
        VolumePath volume = subject.IsDescriptor ? VolumePath.Of(descriptor.File->Node) : path.Volume;
        using (TransferBuffer buffer = call.Files.Buffers.Take())
        {
            // The request's payload: path, name and value.
            int before = volume.Wire.Length + name.Length;
            Span<byte> payload = buffer.Request.Slice(0, before + (int)value.LengthBytes);
            volume.Wire.CopyTo(payload);
            name.CopyTo(payload.Slice(volume.Wire.Length));
            error = value.CopyIn(call.Process, 0, payload.Slice(before));
            error = error == Errno.None
                ? StorageClient.ChangeAttribute(in caller, payload, in volume, FlagsOf(subject), name.Length, change)
                : error;
        }

        if (error == Errno.None && call.Files.Inotify.IsWatching)
        {
            OpenFlags follow = subject.Link == LastLink.Keep ? OpenFlags.NoFollow : OpenFlags.ReadOnly;
            using NodeRef changed = subject.IsDescriptor ? NodeRef.To(descriptor.File->Node)
                : FileOpening.FindFile(call.Process, in volume, follow, 0, out FileNode* found) == Errno.None ? NodeRef.Adopt(found)
                : default;
            if (!changed.IsNone)
            {
                call.Files.Inotify.Tell(changed.Node, InotifyMask.Attributes);
            }
        }

        return SystemCall.Result(error);
    }

    private static PathFlags FlagsOf(Subject subject) => subject.Link == LastLink.Keep ? PathFlags.NoFollow : PathFlags.None;

    /// <summary>
    /// Looks whether the file is one of the volume's; otherwise whether it is neither a regular file nor a directory, so that it has none
    /// of programs' own attributes wherever it is (Linux: xattr_permission). EBADF, also for a descriptor of a name alone (O_PATH); ENOENT
    /// and its kin.
    /// </summary>
    private static Errno Find(
        ref SystemCall call, Subject subject, in Descriptor descriptor, in PathName path, out bool isOnVolume, out bool mayNotHave)
    {
        isOnVolume = false;
        mayNotHave = false;
        if (subject.IsDescriptor)
        {
            bool isBad = descriptor.IsBad || descriptor.File->IsPathOnly;
            isOnVolume = !isBad && descriptor.File->Node != null && descriptor.File->Node->Memory == null;
            mayNotHave = !isBad && descriptor.File->Kind is not (FileKind.Regular or FileKind.Directory or FileKind.PseudoText
                or FileKind.PseudoDirectory);
            return isBad ? Errno.EBADF : Errno.None;
        }

        if (path.Error != Errno.None)
        {
            return path.Error;
        }

        Errno error = path.Resolve(call.Process, subject.Link, out PseudoNode node);
        isOnVolume = error == Errno.None && node.File == PseudoFile.None;
        mayNotHave = error == Errno.None && PseudoTree.TypeOf(node.File) == PseudoType.Device;
        return error;
    }
}
