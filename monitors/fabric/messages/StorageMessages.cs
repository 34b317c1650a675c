// Messages that a memory component's file cache sends to the storage component: the bytes of files. Same shape as FileMessages.cs (full
// path, handle, absolute offset), because a file cache is a stop on the way of the same request, not another protocol.
//
// StorageRead      FileRequest + path            reply: the bytes (holes read as zeros; fewer at end of file)
// StorageWrite     FileRequest + path + bytes    reply FileWriteReply
// StorageSync      FileRequest + path            reply empty; Handle 0 and PathLength 0 = the whole volume
// StorageTruncate  FileRequest + path            reply FileAttributes
// StorageStatus    FileRequest + path            reply FileAttributes
// StorageReserve   ReserveRequest                reply ReserveReply
// StorageFindData  FileRequest + path            reply DataRun: the first run of data at or after Offset (a processor component asks, after
//                                                what was written has been handed over: FileSync with NoDevice)
// StorageDigHoles  FileRequest + path            reply empty: blocks of zeros in [Offset, Offset + Length) have become holes
// StorageAllocate  FileRequest + path            reply empty: every block of [Offset, Offset + Length) has space, and reads as before
// A cache reserves space before it accepts bytes that it will write later (ext4's delayed allocation does the same within one machine):
// what it has been granted nobody else can take, so ENOSPC comes to the write(2) that does not fit and to no later one. Grants, returns and
// the pages that StorageWrite takes with FileWriteFlags.Reserved only add and subtract, so they may arrive in any order. Rule for handles:
// a non-zero handle must name an existing file of that generation, else ESTALE; a zero handle is resolved by path.

using System.Runtime.InteropServices;

namespace Lego.Fabric.Messages;

/// <summary>
/// Group 4's content opcodes use <see cref="FileRequest"/>, <see cref="FileWriteReply"/> and <see cref="FileAttributes"/>.
/// </summary>
public static class StorageMessages
{
    /// <summary>Most data bytes in one StorageRead reply or StorageWrite request.</summary>
    public const int MaxTransfer = FileRequest.MaxTransfer;
}

/// <summary>A run of a file's bytes that has space on the device; it may go on behind its end. Empty: there is none before that.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct DataRun
{
    public ulong Start;
    public ulong End;
}

/// <summary>Asks for space on the volume, or gives some back. In pages of 4096 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ReserveRequest
{
    /// <summary>No fewer are of use: else nothing is granted.</summary>
    public uint Least;
    public uint Wanted;
    /// <summary>Of earlier grants, not needed any more.</summary>
    public uint Returned;
    public uint Reserved;
}

/// <summary>What was granted in addition to earlier grants.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ReserveReply
{
    /// <summary>Pages; 0 or at least what was asked for.</summary>
    public uint Granted;
    public uint Reserved;
    /// <summary>No file of this volume can be longer (EFBIG).</summary>
    public ulong MaxFileBytes;
}
