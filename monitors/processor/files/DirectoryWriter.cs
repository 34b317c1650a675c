// Writes getdents64 records (struct linux_dirent64: u64 inode, s64 offset, u16 record length, u8 type, name with terminator, padded to 8)
// into a program's buffer, each one whole or not at all. Copies BLOCK.

using System;
using System.Buffers.Binary;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Fills one getdents64 buffer.</summary>
public ref struct DirectoryWriter
{
    private const int InodeOffset = 0;
    private const int CookieOffset = 8;
    private const int LengthOffset = 16;
    private const int TypeOffset = 18;
    private const int NameOffset = 19;
    private const int MaxRecordBytes = (NameOffset + 255 + 1 + 7) & ~7;

    private IoVector _to;
    private long _written;

    public DirectoryWriter(IoVector to)
    {
        _to = to;
        _written = 0;
    }

    /// <summary>True when an entry did not fit behind others: the call ends, the entry comes first in the next one.</summary>
    public bool IsFull { get; private set; }

    /// <summary>Room left.</summary>
    public readonly ulong RemainingBytes => _to.RemainingBytes;

    /// <summary>
    /// Adds an entry, or sets <see cref="IsFull"/>. EINVAL: the buffer is too small for even one entry. EFAULT. The caller moves its
    /// position
    /// to the cookie only after an entry was added.
    /// </summary>
    public Errno Add(uint inode, ulong nextCookie, uint type, scoped ReadOnlySpan<byte> name)
    {
        int length = (NameOffset + name.Length + 1 + 7) & ~7;
        if ((ulong)length > _to.RemainingBytes)
        {
            IsFull = true;
            return _written == 0 ? Errno.EINVAL : Errno.None;
        }

        Span<byte> record = stackalloc byte[MaxRecordBytes];
        record = record.Slice(0, length);
        record.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(record.Slice(InodeOffset), inode);
        BinaryPrimitives.WriteUInt64LittleEndian(record.Slice(CookieOffset), nextCookie);
        BinaryPrimitives.WriteUInt16LittleEndian(record.Slice(LengthOffset), (ushort)length);
        record[TypeOffset] = (byte)type;
        name.CopyTo(record.Slice(NameOffset));
        Errno error = _to.Give(record, out _);
        if (error == Errno.None)
        {
            _written += length;
        }

        return error;
    }

    /// <summary>What getdents64 returns: bytes written, unless nothing was and there is an error.</summary>
    public readonly long Result(Errno error) => _written != 0 ? _written : CallResult.Of(error);
}
