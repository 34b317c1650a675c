// What the file cache needs from a storage component. The image's implementation sends messages (RemoteFileStore); tests have one in
// memory. Every method may block, so callers re-check what they knew before.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Files by handle and path at a storage component.</summary>
public abstract unsafe class FileStore
{
    /// <summary>The file that a path names.</summary>
    public abstract Errno Find(ushort vnode, ushort storage, ReadOnlySpan<byte> path, TransferBuffer* buffer,
        out FileAttributes attributes);

    /// <summary>Attributes as stored; a processor component will remember them (0 = none will).</summary>
    public abstract Errno Status(CachedFile* file, ushort holder, TransferBuffer* buffer, out FileAttributes attributes);

    /// <summary>Whether a vNode may use a file that another one has used before. EPERM: it was never led to it; ESTALE.</summary>
    public abstract Errno Confirm(CachedFile* file, ushort vnode, TransferBuffer* buffer);

    /// <summary>Reads into the buffer's data area; fewer bytes only at the end of the file.</summary>
    public abstract Errno Read(CachedFile* file, ulong offset, uint lengthBytes, TransferBuffer* buffer, out int readBytes);

    /// <summary>Writes bytes, which are usually the buffer's data area. Flags: Reserved or none.</summary>
    public abstract Errno Write(CachedFile* file, ulong offset, ReadOnlySpan<byte> bytes, ulong modifyTimeNs, FileWriteFlags flags,
        TransferBuffer* buffer, out FileWriteReply reply);

    /// <summary>Asks for space for pages that are to become dirty, or returns some.</summary>
    public abstract Errno Reserve(ushort storage, in ReserveRequest request, TransferBuffer* buffer, out ReserveReply reply);

    /// <summary>Sets the size, and the times; 0 = now. A processor component knows of the change (0 = none does).</summary>
    public abstract Errno Truncate(CachedFile* file, ulong size, ulong modifyTimeNs, ushort requester, TransferBuffer* buffer);

    /// <summary>All written bytes of the file are on the device afterwards; null = the whole volume.</summary>
    public abstract Errno Sync(ushort storage, CachedFile* file, TransferBuffer* buffer);
}
