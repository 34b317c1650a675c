// RWF_* of preadv2(2), which requests of io_submit(2) have as well: what a single transfer asks for beyond the flags of its open file.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Flags of one transfer.</summary>
public static unsafe class TransferFlags
{
    private const uint HighPriority = 1;
    private const uint DataSync = 2;
    private const uint Sync = 4;
    private const uint NoWait = 8;
    private const uint Append = 0x10;
    private const uint Known = HighPriority | DataSync | Sync | NoWait | Append;

    /// <summary>
    /// What they mean as flags of an open file. EOPNOTSUPP: unknown ones, or RWF_NOWAIT of a kind that cannot say beforehand whether it
    /// would wait, as ext4 cannot of a write.
    /// </summary>
    public static Errno Check(uint flags, OpenFile* file, bool isRead, out OpenFlags extra)
    {
        bool mayNotWait = file->Kind is FileKind.Pipe or FileKind.Socket || (file->Kind == FileKind.Regular && isRead);
        extra = ((flags & Append) != 0 ? OpenFlags.Append : OpenFlags.ReadOnly)
            | ((flags & (DataSync | Sync)) != 0 ? OpenFlags.DataSync : OpenFlags.ReadOnly)
            | ((flags & NoWait) != 0 ? OpenFlags.NonBlocking : OpenFlags.ReadOnly);
        return (flags & ~Known) != 0 || ((flags & NoWait) != 0 && !mayNotWait) ? Errno.EOPNOTSUPP : Errno.None;
    }
}
