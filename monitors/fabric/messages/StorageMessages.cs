// Messages that a memory component's file cache sends to the storage component: the bytes of files. Same shape as FileMessages.cs (full
// path, handle, absolute offset), because a file cache is a stop on the way of the same request, not another protocol.
//
// StorageRead      FileRequest + path            reply: the bytes (holes read as zeros; fewer at end of file)
// StorageWrite     FileRequest + path + bytes    reply FileWriteReply
// StorageSync      FileRequest + path            reply empty; Handle 0 and PathLength 0 = the whole volume
// StorageTruncate  FileRequest + path            reply FileAttributes
// StorageStatus    FileRequest + path            reply FileAttributes
// Rule for handles: a non-zero handle must name an existing file of that generation, else ESTALE; a zero handle is resolved by path.

namespace Lego.Fabric.Messages;

/// <summary>Group 4's content opcodes use <see cref="FileRequest"/>, <see cref="FileWriteReply"/> and <see cref="FileAttributes"/>.</summary>
public static class StorageMessages
{
    /// <summary>Most data bytes in one StorageRead reply or StorageWrite request.</summary>
    public const int MaxTransfer = FileRequest.MaxTransfer;
}
