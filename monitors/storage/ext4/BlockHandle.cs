// A pinned block of the block cache: while a handle lives, its block stays in memory. Handles are let go by `using`, so that an early
// return cannot leave a block pinned. Valid only in the thread that holds the volume.

using System;

namespace Lego.Storage.Ext4;

/// <summary>What a cached block is taken for; a block is one thing at a time.</summary>
public enum BlockKind : byte { Superblock, Descriptors, BlockBitmap, InodeBitmap, InodeTable, ExtentNode, Directory, Attributes }

/// <summary>Book-keeping of one cached block; in the cache's table, never moved.</summary>
public unsafe struct CachedBlock
{
    public ulong Number;
    public byte* Data;
    public CachedBlock* NextInBucket;
    public CachedBlock* Newer;
    public CachedBlock* Older;
    /// <summary>
    /// One bit per structure in the block (inode, or the block as a whole) whose checksum has been found right since it was read.
    /// </summary>
    public ulong VerifiedBits;
    public uint Pins;
    public BlockKind Kind;
    public bool InUse;
    public bool Dirty;
}

/// <summary>Keeps one block in the cache until it is disposed of.</summary>
public readonly unsafe ref struct BlockHandle
{
    private const ulong WholeBlock = 1;

    private readonly CachedBlock* _block;
    private readonly uint _lengthBytes;

    /// <summary>Takes over a pin that the cache has just counted.</summary>
    internal BlockHandle(CachedBlock* pinned, uint lengthBytes)
    {
        _block = pinned;
        _lengthBytes = lengthBytes;
    }

    public ulong Number => _block->Number;

    public byte* Data => _block->Data;

    public Span<byte> Bytes => new(_block->Data, (int)_lengthBytes);

    internal CachedBlock* Entry => _block;

    /// <summary>Whether the block's own checksum has been found right since it was read; set it when it has.</summary>
    public bool IsVerified => (_block->VerifiedBits & WholeBlock) != 0;

    public void SetVerified() => _block->VerifiedBits |= WholeBlock;

    /// <summary>The block differs from the device's from now on.</summary>
    public void MarkDirty() => _block->Dirty = true;

    /// <summary>Another handle to the same block.</summary>
    public BlockHandle Share()
    {
        _block->Pins++;
        return new BlockHandle(_block, _lengthBytes);
    }

    public void Dispose()
    {
        if (_block != null)
        {
            _block->Pins--;
        }
    }
}
