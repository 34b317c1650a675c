// open(2) without a message: of a file whose way and rights are remembered and that is still held here. Never blocks.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Finds what was open lately.</summary>
public static unsafe class KnownFile
{
    /// <summary>
    /// Finds a file whose way and rights are remembered and that is held here, without a message; what its open asks for is judged as the
    /// storage component does (LookupRequests.CheckOpen). False: it has to be asked.
    /// </summary>
    public static bool TryFind(
        in FileCaller caller, in VolumePath path, OpenFlags flags, uint access, out FileAttributes attributes, out FileNode* node,
        out Errno error)
    {
        attributes = default;
        node = null;
        error = Errno.None;
        bool creates = (flags & (OpenFlags.Create | OpenFlags.Path)) == OpenFlags.Create;
        bool endsInSlash = path.Wire.Length != 0 && path.Wire[path.Wire.Length - 1] == (byte)'/';
        if (creates && ((flags & OpenFlags.Exclusive) != 0 || endsInSlash))
        {
            return false;
        }

        RememberedPath* known = caller.Leases.Paths.Find(in caller, in path,
            (flags & OpenFlags.NoFollow) != 0 ? LastLink.Keep : LastLink.Follow);
        if (known == null || known->Error != Errno.None)
        {
            error = known == null ? Errno.None : known->Error;
            return known != null && !creates;
        }

        ushort storage = caller.Place.Storage;
        if (!caller.Leases.Attributes.TryFindAccess(storage, in known->Found, out attributes))
        {
            return false;
        }

        bool isDirectory = (attributes.Mode & FileMode.TypeMask) == FileMode.Directory;
        error = (flags & OpenFlags.Directory) != 0 && !isDirectory ? Errno.ENOTDIR
            : (creates || (access & FileAccess.Write) != 0) && isDirectory ? Errno.EISDIR
            : FileAccess.Check(in caller, in attributes, access);
        if (error == Errno.None)
        {
            node = FileSystem.Of(caller.Processes).Nodes.AcquireKnown(caller.Context.VNode, storage, in known->Found);
        }

        return error != Errno.None || node != null;
    }
}
