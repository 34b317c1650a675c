// Group 3: reads, writes and changes of files by a processor component, served from the file cache. What is resident is served inline in
// the poller; whatever needs the storage component runs in a worker.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Serves FileRead, FileWrite, FileSync, FileTruncate, FileStatus and FileForget.</summary>
internal sealed unsafe class FileService : RpcService
{
    private const int ReadBufferCount = 4;

    private readonly FileCache _files;
    private readonly AddressSpaces _spaces;
    /// <summary>Bytes of a reply that lie in several pages; filled and sent without a wait in between.</summary>
    private readonly byte* _replyBytes;
    /// <summary>
    /// Bytes of a reply that are gathered with waits in between. Not the cache's own pool: who waits for one of those has none.
    /// </summary>
    private readonly TransferBuffers _readBuffers;
    private ulong _reads;
    private ulong _writes;

    internal FileService(FrameAllocator frames, FileCache files, AddressSpaces spaces)
    {
        _spaces = spaces;
        _files = files;
        _readBuffers = new TransferBuffers(frames, ReadBufferCount);
        _replyBytes = (byte*)frames.AllocateContiguous(FileRequest.MaxTransfer / PageOperations.PageSize);
        if (_replyBytes == null)
        {
            Panic.Because("FileService: no memory at boot");
        }
    }

    /// <inheritdoc/>
    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        if (!TryParse(ref request, out FileRequest file, out ReadOnlySpan<byte> path, out ReadOnlySpan<byte> bytes))
        {
            request.Reply(Errno.EPROTO);
            return RpcDisposition.Done;
        }

        CachedFile* known = file.Handle.Inode == 0 ? null : _files.Find(file.Storage, file.Handle);
        if (file.Handle.Inode == 0 || (known != null && !FileCache.IsOf(known, request.VNode)))
        {
            return RpcDisposition.Deferred;
        }

        bool served = request.Opcode switch
        {
            Opcode.FileRead => TryRead(ref request, file),
            Opcode.FileWrite => TryWrite(ref request, file, path, bytes),
            Opcode.FileSync => TrySync(ref request, file),
            Opcode.FileForget => TryForget(ref request, file),
            _ => false,
        };
        return served ? RpcDisposition.Done : RpcDisposition.Deferred;
    }

    /// <inheritdoc/>
    public override void Handle(ref RpcRequest request)
    {
        if (!TryParse(ref request, out FileRequest wanted, out ReadOnlySpan<byte> path, out ReadOnlySpan<byte> bytes))
        {
            request.Reply(Errno.EPROTO);
            return;
        }

        if (request.Opcode == Opcode.FileSync && wanted.Handle.Inode == 0 && path.Length == 0)
        {
            request.Reply(_files.WriteBackAll());
            return;
        }

        Errno error = FindFile(request.VNode, wanted, path, out CachedFile* file);
        if (error != Errno.None)
        {
            request.Reply(error);
            return;
        }

        switch (request.Opcode)
        {
            case Opcode.FileRead:
                Read(ref request, wanted, file);
                break;
            case Opcode.FileWrite:
                error = _files.Write(file, wanted, bytes, out FileWriteReply reply);
                reply.LastWriteError = _files.LastWriteError;
                reply.VolumeFreeBytes = _files.ReservedBytes(file);
                request.Reply(error, reply);
                _writes++;
                break;
            case Opcode.FileSync:
                uint known = wanted.Length;
                error = _files.Sync(file, wanted.Flags, ref known);
                request.Reply(error, in known);
                break;
            case Opcode.FileTruncate:
                error = _files.Truncate(file, in wanted);
                if (error == Errno.None && (wanted.Flags & FileWriteFlags.GrowOnly) == 0)
                {
                    _spaces.CutMappings(file, wanted.Offset);
                }

                request.Reply(error);
                break;
            case Opcode.FileStatus:
                error = _files.Status(file, wanted.For, out FileAttributes attributes);
                request.Reply(error, attributes);
                break;
            case Opcode.FileForget:
                _files.Forget(file);
                request.Reply(Errno.None);
                break;
            default:
                request.Reply(Errno.EOPNOTSUPP);
                break;
        }

        _files.Release(file);
    }

    /// <inheritdoc/>
    public override bool IsIdempotent(Opcode opcode) =>
        opcode is Opcode.FileRead or Opcode.FileStatus or Opcode.FileSync or Opcode.FileForget;

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.file_reads"u8, _reads);
        writer.Add("memory.file_writes"u8, _writes);
    }

    private static bool TryParse(ref RpcRequest request, out FileRequest file, out ReadOnlySpan<byte> path, out ReadOnlySpan<byte> bytes)
    {
        path = default;
        bytes = default;
        if (!request.TryReadHead(out file, out ReadOnlySpan<byte> rest) || rest.Length < file.PathLength
            || rest.Length - file.PathLength > FileRequest.MaxTransfer)
        {
            return false;
        }

        path = rest.Slice(0, file.PathLength);
        bytes = rest.Slice(file.PathLength);
        return true;
    }

    private bool TryRead(ref RpcRequest request, in FileRequest wanted)
    {
        CachedFile* file = _files.Find(wanted.Storage, wanted.Handle);
        return file != null && TryReadFrom(ref request, wanted, file, out _);
    }

    private bool TryReadFrom(ref RpcRequest request, in FileRequest wanted, CachedFile* file, out ulong missing)
    {
        missing = 0;
        uint length = Math.Min(wanted.Length, (uint)Math.Min(request.ReplyCapacityBytes, FileRequest.MaxTransfer));
        if (_files.TryReadInPlace(file, wanted.Offset, length, out ReadOnlySpan<byte> bytes))
        {
            request.Reply(Errno.None, default, bytes);
            _reads++;
            return true;
        }

        Span<byte> buffer = new(_replyBytes, (int)length);
        if (_files.TryRead(file, wanted.Offset, buffer, out int readBytes, out missing) != CacheOutcome.Done)
        {
            return false;
        }

        request.Reply(Errno.None, default, buffer.Slice(0, readBytes));
        _reads++;
        return true;
    }

    private void Read(ref RpcRequest request, in FileRequest wanted, CachedFile* file)
    {
        uint length = Math.Min(wanted.Length, (uint)Math.Min(request.ReplyCapacityBytes, FileRequest.MaxTransfer));
        TransferBuffer* buffer = _readBuffers.Take();
        Span<byte> bytes = buffer->Data.Slice(0, (int)length);
        Errno error = _files.Read(file, wanted.Offset, bytes, out int readBytes, out ulong fetched);
        // What was read before an error is an answer; the program meets the error when it reads on.
        bool isAnswer = error == Errno.None || readBytes > 0;
        request.Reply(isAnswer ? Errno.None : error, default, bytes.Slice(0, readBytes));
        _readBuffers.Return(buffer);
        _reads++;
        if (error == Errno.None)
        {
            _files.ReadAhead(file, fetched);
        }
    }

    private bool TryWrite(ref RpcRequest request, in FileRequest wanted, scoped ReadOnlySpan<byte> path, scoped ReadOnlySpan<byte> bytes)
    {
        CachedFile* file = _files.Find(wanted.Storage, wanted.Handle);
        if (file == null)
        {
            return false;
        }

        // Frames for the new pages may be those of the file's last page: held, the record survives it.
        FileCache.Hold(file);
        FileWriteReply reply = default;
        Errno error = _files.SetPath(file, path);
        bool served = error == Errno.None
            && _files.TryWrite(file, wanted, bytes, out reply, out error, out _) == CacheOutcome.Done;
        _files.Release(file);
        if (served)
        {
            reply.LastWriteError = _files.LastWriteError;
            reply.VolumeFreeBytes = _files.ReservedBytes(file);
            request.Reply(error, reply);
            _writes++;
        }

        return served;
    }

    private bool TrySync(ref RpcRequest request, in FileRequest wanted)
    {
        CachedFile* file = _files.Find(wanted.Storage, wanted.Handle);
        if ((wanted.Flags & FileWriteFlags.NoDevice) == 0 || (file != null && !FileCache.IsWrittenBack(file)))
        {
            return false;
        }

        uint known = wanted.Length;
        request.Reply(Errno.None, in known);
        return true;
    }

    private bool TryForget(ref RpcRequest request, in FileRequest wanted)
    {
        CachedFile* file = _files.Find(wanted.Storage, wanted.Handle);
        if (file != null && !FileCache.CanForgetNow(file))
        {
            return false;
        }

        if (file != null)
        {
            _files.ForgetNow(file);
        }

        request.Reply(Errno.None);
        return true;
    }

    /// <summary>The file's record, held; a request without a handle is resolved by its path. Blocks then.</summary>
    private Errno FindFile(ushort vnode, in FileRequest wanted, ReadOnlySpan<byte> path, out CachedFile* file)
    {
        Errno error;
        if (wanted.Handle.Inode != 0)
        {
            error = _files.FindOrAdd(vnode, wanted.Storage, wanted.Handle, path, out file);
        }
        else
        {
            file = null;
            TransferBuffer* buffer = _files.Buffers.Take();
            error = _files.Store.Find(vnode, wanted.Storage, path, buffer, out FileAttributes attributes);
            _files.Buffers.Return(buffer);
            if (error == Errno.None)
            {
                error = _files.FindOrAdd(vnode, wanted.Storage, attributes.Handle, path, out file);
            }
        }

        if (error != Errno.None)
        {
            return error;
        }

        FileCache.Hold(file);
        error = _files.Admit(file, vnode);
        if (error != Errno.None)
        {
            _files.Release(file);
        }

        return error;
    }
}
