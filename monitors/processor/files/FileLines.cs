// read(2) from the lines of the ExCache: pages of a file that are resident, because a mapping, a program or an earlier read has brought
// them, are copied from where they are. No message.
//
// What holds:
// * Lines show what the memory component has while this component is alone (ExCache.Names.cs), or what a write has left here
//   (KeptWrites.cs), and no shared mapping has stored something newer: the caller has that written back first (FileMappings.Publish).
// * The size is believed as long as its lease holds. A write or truncation by this component takes that away from before its request until
//   its reply, so that a read that begins meanwhile asks the memory component; when it is done, it changes the object's version. A read
//   that finds the version changed after it has waited for a page of the program begins again, by message. So a read sees a write as a
//   whole or not at all, as one message does.
// * What a message has brought is kept if nothing has changed since before it was sent.
//
// Who reads StreamBytes and more with one call reads them once: nothing of it is kept.

using System;
using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Reads of pages that are resident, and of pages that shall be.</summary>
internal static unsafe class FileLines
{
    /// <summary>Reads of so much are not kept.</summary>
    internal const int StreamBytes = 32 * 1024;

    private const int PageBytes = PageOperations.PageSize;

    /// <summary>
    /// Reads what is wanted from lines alone. False: the memory component has to be asked, and nothing has been moved. On an error some
    /// bytes may have been. BLOCKS for pages of the program, and for the file's size when only that is unknown.
    /// </summary>
    public static bool TryRead(
        Process* process, FileNode* node, ref ulong position, ulong wantedBytes, ref IoVector to, out ulong moved, out Errno error)
    {
        moved = 0;
        error = Errno.None;
        ExCache cache = process->Table.Cache;
        if (!cache.SharesNames || node->Memory != null || !TryFindSize(process, cache, node, position, out ulong size))
        {
            return false;
        }

        if (position >= size)
        {
            return true;
        }

        uint number = cache.Objects.Find(node->Identity);
        ulong end = Math.Min(size, position + wantedBytes);
        // The first one is found when it is copied, which is before anything has moved.
        if (!cache.HasPages(number, (position / PageBytes) + 1, (end + PageBytes - 1) / PageBytes))
        {
            return false;
        }

        to.SpendTurn(end - position);
        uint version = cache.Objects.VersionOf(number);
        IoVector start = to;
        ulong at = position;
        byte* page = null;
        while (at < end && error == Errno.None)
        {
            ulong inPage = at % PageBytes;
            if (page == null && (version != cache.Objects.VersionOf(number) || !cache.TryFindPage(number, at / PageBytes, out page)))
            {
                to = start;
                return false;
            }

            if (!to.TryReserve(MissAccess.Write, out byte* target, out ulong room))
            {
                // Waits for the program's page; the file's is looked for again.
                error = to.Reserve(MissAccess.Write, out _, out _);
                page = null;
                continue;
            }

            ulong length = Math.Min(Math.Min(room, PageBytes - inPage), end - at);
            PageOperations.CopyBytes(target, page + inPage, length);
            to.Advance(length);
            at += length;
            page = inPage + length == PageBytes ? null : page;
        }

        moved = at - position;
        position = at;
        cache.CountRead();
        return true;
    }

    /// <summary>
    /// Asks the memory component for bytes [position, position + wantedBytes), into a buffer; for whole pages, if they shall be kept.
    /// BLOCKS.
    /// </summary>
    public static Errno Fetch(
        in FileCaller caller, FileNode* node, ulong position, int wantedBytes, bool keeps, Span<byte> buffer, out ReadOnlySpan<byte> bytes)
    {
        ExCache cache = caller.Processes.Cache;
        ObjectIdentity identity = node->Identity;
        uint number = keeps && cache.SharesNames && node->Memory == null ? cache.NumberOf(in identity) : 0;
        ulong before = number == 0 ? 0 : position % PageBytes;
        int asked = number == 0 ? wantedBytes : ((int)before + wantedBytes + PageBytes - 1) / PageBytes * PageBytes;
        uint version = cache.Objects.VersionOf(number);
        ulong first = position - before;
        Errno error = FileClient.Read(in caller, node, first, buffer.Slice(0, asked), out int length);
        bytes = default;
        if (error != Errno.None)
        {
            return error;
        }

        for (int done = 0; number != 0 && done < length; done += PageBytes)
        {
            cache.KeepPage(number, (first + (ulong)done) / PageBytes, version, buffer.Slice(done, Math.Min(PageBytes, length - done)));
        }

        bytes = buffer.Slice(0, Math.Min(length, (int)before + wantedBytes));
        bytes = bytes.Slice(Math.Min((int)before, bytes.Length));
        return Errno.None;
    }

    /// <summary>The size of a file. False: it is not known, and the page at a position is not resident.</summary>
    private static bool TryFindSize(Process* process, ExCache cache, FileNode* node, ulong position, out ulong size)
    {
        FileSystem files = FileSystem.Of(process);
        return files.Kept.TryFindSize(node, out size)
            || files.Leases.Attributes.TryFindSize(node->Place.Storage, in node->Handle, out size)
            || (cache.TryFindPage(cache.Objects.Find(node->Identity), position / PageBytes, out _)
                && TryAskForSize(process, node, out size));
    }

    /// <summary>One message instead of another, and the next read needs none.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static bool TryAskForSize(Process* process, FileNode* node, out ulong size)
    {
        size = 0;
        FileCaller caller = FileCaller.Of(process);
        return FileClient.Status(in caller, node, out _) == Errno.None
            && caller.Leases.Attributes.TryFindSize(node->Place.Storage, in node->Handle, out size);
    }
}
