// Requests about names to the storage component (PathMessages.cs). Each is one message and BLOCKS for its reply. Errors are the storage
// component's, those of the fabric turned into EIO. EREMOTE: the path leads into a tree that is served here (PathName.Resolve).

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The name space, as the storage component serves it.</summary>
public static unsafe class StorageClient
{
    /// <summary>
    /// Looks a path up or creates it. The canonical path lies in the buffer until its next use; after EREMOTE it is the rest of the path
    /// from the name on that is served here.
    /// </summary>
    public static Errno Open(
        in FileCaller caller, in TransferBuffer buffer, scoped in VolumePath path, PathFlags flags, uint mode, uint access,
        out OpenReply reply, out ReadOnlySpan<byte> canonicalPath)
    {
        reply = default;
        canonicalPath = default;
        // What has no name is found by nobody again.
        bool isLeased = (flags & PathFlags.Nameless) == 0 && (path.Scope & PathScope.Walked) == 0;
        PathFlags lease = (isLeased ? PathFlags.Lease : PathFlags.None) | FlagsOf(path.Scope);
        OpenRequest request = new() { Path = Request(in caller, in path, flags | lease), Mode = mode, Access = access };
        Span<byte> answer = buffer.Data.Slice(0, sizeof(OpenReply) + (2 * PathRequest.MaxPath));
        LeaseClock clock = caller.Leases.Clock;
        ulong moment = clock.Now;
        bool mayCreate = (flags & PathFlags.Create) != 0;
        if (mayCreate)
        {
            clock.BeginChange();
        }

        Errno error = caller.Rpc.Call(caller.Place.Storage, Opcode.Open, in caller.Context, in request, path.Wire, answer, out int length);
        ReadOnlySpan<byte> body = answer.Slice(0, length);
        if (error == Errno.None && !(MemoryMarshal.TryRead(body, out reply)
            && sizeof(OpenReply) + reply.PathLength + (reply.KeyCount * sizeof(uint)) <= length))
        {
            error = Errno.EPROTO;
        }

        ReadOnlySpan<uint> keys = error != Errno.None
            ? default
            : MemoryMarshal.Cast<byte, uint>(body.Slice(sizeof(OpenReply) + reply.PathLength, reply.KeyCount * sizeof(uint)));
        ulong wayMoment = moment;
        if (mayCreate)
        {
            bool isLatest = reply.Created != 0 && clock.AreUntouched(moment, keys);
            clock.EndChange(error, ref reply.Changed);
            // What this very request has made is no older for that.
            wayMoment = isLatest ? clock.Now : moment;
        }

        if (error == Errno.EREMOTE)
        {
            canonicalPath = body;
            return (path.Scope & PathScope.OneFileSystem) != 0 ? Errno.EXDEV : error;
        }

        LastLink last = (flags & (PathFlags.NoFollow | PathFlags.Exclusive)) != 0 ? LastLink.Keep : LastLink.Follow;
        FileCaller asker = caller;
        asker.HadGroups(GroupList.Of(&request.Path.Groups));
        if (error is Errno.ENOENT or Errno.ENOTDIR && !mayCreate && length != 0)
        {
            ReadOnlySpan<uint> missing = MemoryMarshal.Cast<byte, uint>(body);
            caller.Leases.Paths.Remember(in asker, in path, last, PathLease.Granted, moment, error, default, default, missing);
        }

        if (error != Errno.None)
        {
            return FileCaller.ToProgram(error);
        }

        canonicalPath = body.Slice(sizeof(OpenReply), reply.PathLength);
        if (reply.Lease != PathLease.None)
        {
            caller.Leases.Paths.Remember(
                in asker, in path, last, reply.Lease, wayMoment, Errno.None, in reply.Attributes.Handle, canonicalPath, keys);
            Remember(in caller, in reply.Attributes, moment);
        }

        return Errno.None;
    }

    private static PathFlags FlagsOf(PathScope scope) =>
        ((scope & PathScope.NoLinks) != 0 ? PathFlags.NoLinks : PathFlags.None)
        | ((scope & PathScope.Beneath) != 0 ? PathFlags.Beneath : PathFlags.None)
        | ((scope & PathScope.InRoot) != 0 ? PathFlags.InRoot : PathFlags.None);

    /// <summary>Of a regular file the memory component knows size and times better.</summary>
    private static void Remember(in FileCaller caller, in FileAttributes attributes, ulong moment)
    {
        if ((attributes.Mode & FileMode.TypeMask) == FileMode.Regular)
        {
            caller.Leases.Attributes.RememberAccess(caller.Place.Storage, in attributes, moment);
        }
        else
        {
            caller.Leases.Attributes.Remember(caller.Place.Storage, in attributes, moment);
        }
    }

    /// <summary>
    /// A request that changes names or attributes. Nothing that is remembered counts until its reply has told what it changed.
    /// </summary>
    private static Errno Change<TRequest>(
        in FileCaller caller, Opcode opcode, in TRequest request, ReadOnlySpan<byte> strings, out ChangeReply reply)
        where TRequest : unmanaged
    {
        LeaseClock clock = caller.Leases.Clock;
        clock.BeginChange();
        Errno error = caller.Rpc.Call(caller.Place.Storage, opcode, in caller.Context, in request, strings, out reply);
        clock.EndChange(error, ref reply.Changed);
        return FileCaller.ToProgram(error);
    }

    /// <summary>mkdir, mknod, symlink.</summary>
    public static Errno MakeNode(
        in FileCaller caller, in TransferBuffer buffer, scoped in VolumePath path, uint mode, uint deviceNumber, ReadOnlySpan<byte> target)
    {
        MakeNodeRequest request = new()
        {
            Path = Request(in caller, in path, PathFlags.NoFollow),
            Mode = mode,
            DeviceNumber = deviceNumber,
            TargetLength = (ushort)target.Length,
        };
        ReadOnlySpan<byte> strings = Join(in buffer, path.Wire, target);
        return Change(in caller, Opcode.MakeNode, in request, strings, out _);
    }

    /// <summary>unlink, or rmdir with PathFlags.Directory; holds that are of no use any more go with it.</summary>
    public static Errno Unlink(in FileCaller caller, scoped in VolumePath path, PathFlags flags, in ReleaseRecord released,
        out UnlinkReply reply)
    {
        UnlinkRequest request = new() { Path = Request(in caller, in path, flags | PathFlags.NoFollow), Released = released };
        LeaseClock clock = caller.Leases.Clock;
        clock.BeginChange();
        Errno error = caller.Rpc.Call(caller.Place.Storage, Opcode.Unlink, in caller.Context, in request, path.Wire, out reply);
        clock.EndChange(error, ref reply.Changed);
        return FileCaller.ToProgram(error);
    }

    /// <summary>rename; the canonical paths (empty where unknown) lie in the buffer until its next use.</summary>
    public static Errno Rename(
        in FileCaller caller, in TransferBuffer buffer, scoped in VolumePath oldPath, scoped in VolumePath newPath, PathFlags flags,
        in ReleaseRecord released, out RenameReply reply, out ReadOnlySpan<byte> canonicalOld, out ReadOnlySpan<byte> canonicalNew)
    {
        reply = default;
        canonicalOld = default;
        canonicalNew = default;
        TwoPathRequest request = TwoPaths(in caller, in oldPath, in newPath, flags);
        request.Released = released;
        ReadOnlySpan<byte> strings = Join(in buffer, oldPath.Wire, newPath.Wire);
        Span<byte> answer = buffer.Data.Slice(0, sizeof(RenameReply) + (2 * PathRequest.MaxPath));
        LeaseClock clock = caller.Leases.Clock;
        clock.BeginChange();
        Errno error = caller.Rpc.Call(caller.Place.Storage, Opcode.Rename, in caller.Context, in request, strings, answer, out int length);
        ReadOnlySpan<byte> body = answer.Slice(0, length);
        if (error == Errno.None
            && !(MemoryMarshal.TryRead(body, out reply) && sizeof(RenameReply) + reply.OldLength + reply.NewLength <= length))
        {
            error = Errno.EPROTO;
        }

        clock.EndChange(error, ref reply.Changed);
        if (error != Errno.None)
        {
            return FileCaller.ToProgram(error);
        }

        canonicalOld = body.Slice(sizeof(RenameReply), reply.OldLength);
        canonicalNew = body.Slice(sizeof(RenameReply) + reply.OldLength, reply.NewLength);
        return Errno.None;
    }

    /// <summary>A hard link; PathFlags.NoFollow links a symbolic link itself.</summary>
    public static Errno Link(
        in FileCaller caller, in TransferBuffer buffer, scoped in VolumePath oldPath, scoped in VolumePath newPath, PathFlags flags)
    {
        TwoPathRequest request = TwoPaths(in caller, in oldPath, in newPath, flags);
        ReadOnlySpan<byte> strings = Join(in buffer, oldPath.Wire, newPath.Wire);
        return Change(in caller, Opcode.Link, in request, strings, out _);
    }

    /// <summary>Gives holds back; for each entry, whether its file has gone with them.</summary>
    public static Errno Release(in FileCaller caller, ReadOnlySpan<ReleaseRecord> entries, Span<uint> gone)
    {
        ReleaseRequest request = new() { Count = (uint)entries.Length };
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.Storage, Opcode.Release, in caller.Context, in request, MemoryMarshal.AsBytes(entries),
                MemoryMarshal.AsBytes(gone), out _));
    }

    /// <summary>A symbolic link's target, remembered or asked for. EINVAL: something else.</summary>
    public static Errno ReadLink(in FileCaller caller, scoped in VolumePath path, Span<byte> target, out int lengthBytes)
    {
        RememberedPaths paths = caller.Leases.Paths;
        lengthBytes = 0;
        // What is named by its handle has no way that could be known.
        bool isByHandle = path.Handle.Inode != 0 && !path.IsRelative;
        RememberedPath* known = isByHandle ? null : paths.Find(in caller, in path, LastLink.Read);
        if (known != null)
        {
            if (known->Last != LastLink.Read)
            {
                // No link is on the way, nor at its end.
                return Errno.EINVAL;
            }

            ReadOnlySpan<byte> text = RememberedPaths.CanonicalOf(known);
            lengthBytes = text.Length;
            text.CopyTo(target);
            return Errno.None;
        }

        using TransferBuffer buffer = FileSystem.Of(caller.Processes).Buffers.Take();
        ulong moment = caller.Leases.Clock.Now;
        PathRequest request = Request(in caller, in path, PathFlags.NoFollow | PathFlags.Lease);
        Span<byte> answer = buffer.Data.Slice(0, sizeof(ReadLinkReply) + (2 * PathRequest.MaxPath));
        Errno error = caller.Rpc.Call(caller.Place.Storage, Opcode.ReadLink, in caller.Context, in request, path.Wire, answer,
            out int length);
        ReadOnlySpan<byte> body = answer.Slice(0, length);
        if (error != Errno.None)
        {
            return FileCaller.ToProgram(error);
        }

        if (!MemoryMarshal.TryRead(body, out ReadLinkReply reply) || reply.TargetLength > target.Length
            || sizeof(ReadLinkReply) + reply.TargetLength + (reply.KeyCount * sizeof(uint)) > length)
        {
            return Errno.EIO;
        }

        ReadOnlySpan<byte> told = body.Slice(sizeof(ReadLinkReply), reply.TargetLength);
        lengthBytes = told.Length;
        told.CopyTo(target);
        if (reply.Lease != PathLease.None)
        {
            ReadOnlySpan<uint> keys = MemoryMarshal.Cast<byte, uint>(body.Slice(sizeof(ReadLinkReply) + told.Length,
                reply.KeyCount * sizeof(uint)));
            paths.Remember(in caller, in path, LastLink.Read, reply.Lease, moment, Errno.None, default, told, keys);
        }

        return Errno.None;
    }

    /// <summary>Entries from a cookie on; nothing at the end.</summary>
    public static Errno ReadDirectory(in FileCaller caller, scoped in VolumePath path, ulong cookie, Span<byte> entries,
        out int lengthBytes)
    {
        ReadDirectoryRequest request = new()
        {
            Path = Request(in caller, in path, PathFlags.None),
            Cookie = cookie,
            MaxBytes = (uint)entries.Length,
        };
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.Storage, Opcode.ReadDirectory, in caller.Context, in request, path.Wire, entries,
                out lengthBytes));
    }

    /// <summary>chmod, chown, utimensat; the request's Path is filled in here.</summary>
    public static Errno SetAttributes(
        in FileCaller caller, scoped in VolumePath path, PathFlags flags, SetAttributesRequest request, out FileAttributes attributes)
    {
        request.Path = Request(in caller, in path, flags);
        LeaseClock clock = caller.Leases.Clock;
        clock.BeginChange();
        Errno error = caller.Rpc.Call(caller.Place.Storage, Opcode.SetAttributes, in caller.Context, in request, path.Wire,
            out ChangeReply reply);
        attributes = reply.Attributes;
        FileNode* held = FileSystem.Of(caller.Processes).Nodes.Find(caller.Place.Storage, in attributes.Handle);
        if (held != null && (request.Mask & AttributeMask.AccessTime) != 0 && error == Errno.None)
        {
            ReadTimes.Forget(held);
        }

        bool hasNames = held != null && clock.IsUntouched(held->HeldSince, LeaseClock.SlotOf(LeaseKey.Access(attributes.Handle.Inode)));
        clock.EndChange(error, ref reply.Changed);
        if (hasNames)
        {
            // Its own change says nothing about its names: what was known of them still is.
            held->HeldSince = clock.Now;
        }

        return FileCaller.ToProgram(error);
    }

    /// <summary>The value of an extended attribute, or all names for none; it lies in the buffer.</summary>
    public static Errno ReadAttribute(
        in FileCaller caller, in TransferBuffer buffer, scoped in VolumePath path, PathFlags flags, scoped ReadOnlySpan<byte> name,
        out ReadOnlySpan<byte> value)
    {
        AttributeRequest request = new() { Path = Request(in caller, in path, flags), NameLength = (ushort)name.Length };
        Span<byte> payload = buffer.Request.Slice(0, path.Wire.Length + name.Length);
        path.Wire.CopyTo(payload);
        name.CopyTo(payload.Slice(path.Wire.Length));
        Span<byte> reply = buffer.Data;
        Errno error = caller.Rpc.Call(caller.Place.Storage, Opcode.ReadAttribute, in caller.Context, in request, payload, reply,
            out int length);
        value = reply.Slice(0, error == Errno.None ? length : 0);
        return FileCaller.ToProgram(error);
    }

    /// <summary>Changes an extended attribute; the payload is the path, the name and the value.</summary>
    public static Errno ChangeAttribute(
        in FileCaller caller, scoped ReadOnlySpan<byte> payload, scoped in VolumePath path, PathFlags flags, int nameBytes, ushort change)
    {
        AttributeRequest request = new() { Path = Request(in caller, in path, flags), NameLength = (ushort)nameBytes, Change = change };
        LeaseClock clock = caller.Leases.Clock;
        clock.BeginChange();
        Errno error = caller.Rpc.Call(caller.Place.Storage, Opcode.ChangeAttribute, in caller.Context, in request, payload,
            out ChangeReply reply);
        // Nothing was changed where an attribute is there already, or is not.
        clock.EndChange(error is Errno.ENODATA or Errno.EOPNOTSUPP or Errno.ENOSPC ? Errno.EINVAL : error, ref reply.Changed);
        return FileCaller.ToProgram(error);
    }

    /// <summary>A program without privileges changes the file's contents: its set-user-ID and set-group-ID bits go (write(2)).</summary>
    public static void DropSetId(in FileCaller caller, FileNode* node)
    {
        if (caller.UserId == 0 || !node->HasSetId || node->Memory != null)
        {
            return;
        }

        SetAttributesRequest request = new() { Mask = AttributeMask.DropSetId };
        Errno error = SetAttributes(
            in caller, VolumePath.Of(in node->Handle), PathFlags.None, request, out FileAttributes attributes);
        node->Mode = error == Errno.None ? attributes.Mode : node->Mode;
    }

    public static Errno VolumeStatus(in FileCaller caller, scoped in VolumePath path, out VolumeStatusReply reply)
    {
        PathRequest request = Request(in caller, in path, PathFlags.None);
        return FileCaller.ToProgram(caller.Rpc.Call(caller.Place.Storage, Opcode.VolumeStatus, in caller.Context, in request, path.Wire,
            out reply));
    }

    /// <summary>Attributes of an open directory (for a regular file the memory component knows better).</summary>
    public static Errno Status(in FileCaller caller, FileNode* node, out FileAttributes attributes) =>
        Status(in caller, in node->Handle, out attributes);

    /// <summary>Attributes of a file that is no regular one.</summary>
    public static Errno Status(in FileCaller caller, in FileHandle handle, out FileAttributes attributes)
    {
        ushort storage = caller.Place.Storage;
        if (caller.Leases.Attributes.TryFind(storage, in handle, out attributes))
        {
            return Errno.None;
        }

        ulong moment = caller.Leases.Clock.Now;
        FileRequest request = new() { Handle = handle, Storage = storage, For = caller.Rpc.Node };
        Errno error = caller.Rpc.Call(storage, Opcode.StorageStatus, in caller.Context, in request, default, out attributes);
        if (error == Errno.None)
        {
            caller.Leases.Attributes.Remember(storage, in attributes, moment);
        }

        return FileCaller.ToProgram(error);
    }

    /// <summary>The first run of data of a file at or after a position, of what has been handed to the storage component.</summary>
    public static Errno FindData(in FileCaller caller, in FileHandle handle, ulong offset, out DataRun run)
    {
        FileRequest request = new() { Handle = handle, Storage = caller.Place.Storage, Offset = offset };
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.Storage, Opcode.StorageFindData, in caller.Context, in request, default, out run));
    }

    /// <summary>Has blocks of zeros of a range become holes, or all blocks get space (StorageDigHoles, StorageAllocate).</summary>
    public static Errno ChangeSpace(in FileCaller caller, Opcode change, in FileHandle handle, ulong offset, uint lengthBytes)
    {
        FileRequest request = new()
        {
            Handle = handle,
            Storage = caller.Place.Storage,
            Offset = offset,
            Length = lengthBytes,
            ModifyTimeNs = Clock.UnixTimeNs(),
            For = caller.Rpc.Node,
        };
        uint key = LeaseKey.Attributes(handle.Inode);
        caller.Leases.Clock.BeginChange(key);
        Errno error = caller.Rpc.Call(
            caller.Place.Storage, change, caller.Context.As(RpcClass.Transfer), in request, default, default, out _);
        caller.Leases.Clock.EndChange(key);
        return FileCaller.ToProgram(error);
    }

    /// <summary>Everything written reaches the device (sync(2), directories).</summary>
    public static Errno Synchronize(in FileCaller caller)
    {
        FileRequest request = new() { Storage = caller.Place.Storage };
        return FileCaller.ToProgram(
            caller.Rpc.Call(caller.Place.Storage, Opcode.StorageSync, caller.Context.As(RpcClass.Transfer), in request, default, default,
                out _));
    }

    private static PathRequest Request(in FileCaller caller, scoped in VolumePath path, PathFlags flags)
    {
        PathRequest request = new()
        {
            Flags = flags | PathFlags.Mounts | (path.IsRelative ? PathFlags.At : PathFlags.None),
            PathLength = (ushort)path.Wire.Length,
            StartLength = (ushort)path.StartLength,
            UserId = caller.UserId,
            GroupId = caller.GroupId,
            Handle = path.Handle,
            TimeNs = Clock.UnixTimeNs(),
        };
        request.Groups.Set(caller.GroupsToSend);
        return request;
    }

    private static TwoPathRequest TwoPaths(
        in FileCaller caller, scoped in VolumePath oldPath, scoped in VolumePath newPath, PathFlags flags) => new()
        {
            Old = Request(in caller, in oldPath, flags | (newPath.IsRelative ? PathFlags.NewAt : PathFlags.None)),
            NewLength = (ushort)newPath.Wire.Length,
            NewStartLength = (ushort)newPath.StartLength,
            NewStart = newPath.Handle,
        };

    private static ReadOnlySpan<byte> Join(in TransferBuffer buffer, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        first.CopyTo(buffer.Request);
        second.CopyTo(buffer.Request.Slice(first.Length));
        return buffer.Request.Slice(0, first.Length + second.Length);
    }
}
