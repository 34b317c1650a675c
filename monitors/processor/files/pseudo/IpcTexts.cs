// /proc/sysvipc/shm, sem and msg (proc_sysvipc(5)): what ipcs(1) reads, in the columns of Linux's ipc/shm.c, sem.c and msg.c. Segments
// BLOCK: how much of them is in memory is asked of the memory component.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Tables of System V's objects.</summary>
internal static unsafe class IpcTexts
{
    private const ulong SecondNs = 1_000_000_000;
    private const int TimeWidth = 10;
    private const int SizeWidth = 21;
    private const int NumberWidth = 5;

    public static void Segments(Process* caller, ref TextBuffer text)
    {
        text.Append("       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid"u8);
        text.Append("      atime      dtime      ctime                   rss                  swap\n"u8);
        SharedSegments segments = FileSystem.Of(caller).Segments;
        for (int index = 0; index < IpcTable.MaxObjects; index++)
        {
            SharedSegment* segment = (SharedSegment*)segments.Table.At(caller, index);
            if (segment == null)
            {
                continue;
            }

            Head(ref segment->Head, ref text);
            Field(segment->SizeBytes, SizeWidth, ref text);
            Field(segment->Creator, NumberWidth, ref text);
            Field(segment->LastProcess, NumberWidth, ref text);
            text.Append((byte)' ');
            Field(segments.Attaches(segment), NumberWidth, ref text);
            Owners(ref segment->Head, ref text);
            Field(segment->AttachTimeNs / SecondNs, TimeWidth, ref text);
            Field(segment->DetachTimeNs / SecondNs, TimeWidth, ref text);
            Field(segment->Head.ChangeTimeNs / SecondNs, TimeWidth, ref text);
            Errno error = MemoryObject.Status(caller, segment->Node, out FileStatus status);
            Field(error == Errno.None ? status.Attributes.Blocks * 512 : 0, SizeWidth, ref text);
            Field(0, SizeWidth, ref text);
            text.Append((byte)'\n');
        }
    }

    public static void Semaphores(Process* caller, ref TextBuffer text)
    {
        text.Append("       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n"u8);
        for (int index = 0; index < IpcTable.MaxObjects; index++)
        {
            SemaphoreSet* set = (SemaphoreSet*)caller->Table.Semaphores.Table.At(caller, index);
            if (set == null)
            {
                continue;
            }

            Head(ref set->Head, ref text);
            Field((ulong)set->Count, TimeWidth, ref text);
            Owners(ref set->Head, ref text);
            Field(set->OperationTimeNs / SecondNs, TimeWidth, ref text);
            Field(set->Head.ChangeTimeNs / SecondNs, TimeWidth, ref text);
            text.Append((byte)'\n');
        }
    }

    public static void Messages(Process* caller, ref TextBuffer text)
    {
        text.Append(
            "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid      stime      rtime      ctime\n"u8);
        for (int index = 0; index < IpcTable.MaxObjects; index++)
        {
            MessageQueue* queue = (MessageQueue*)caller->Table.Messages.Table.At(caller, index);
            if (queue == null)
            {
                continue;
            }

            Head(ref queue->Head, ref text);
            text.Append((byte)' ');
            Field(queue->Bytes, TimeWidth, ref text);
            Field(queue->Messages, TimeWidth, ref text);
            Field(queue->LastSender, NumberWidth, ref text);
            Field(queue->LastReceiver, NumberWidth, ref text);
            Owners(ref queue->Head, ref text);
            Field(queue->SendTimeNs / SecondNs, TimeWidth, ref text);
            Field(queue->ReceiveTimeNs / SecondNs, TimeWidth, ref text);
            Field(queue->Head.ChangeTimeNs / SecondNs, TimeWidth, ref text);
            text.Append((byte)'\n');
        }
    }

    /// <summary>Key, id, and rights: "%10d %10d  %4o".</summary>
    private static void Head(ref IpcObject head, ref TextBuffer text)
    {
        const int KeyWidth = 10;
        Span<byte> digits = stackalloc byte[KeyWidth + 1];
        TextBuffer key = new(digits);
        key.AppendSigned(head.Key);
        for (int padding = KeyWidth - key.Text.Length; padding > 0; padding--)
        {
            text.Append((byte)' ');
        }

        text.Append(key.Text);
        Field((ulong)head.Id, KeyWidth, ref text);
        text.Append(head.Mode > 0x1FF ? "  "u8 : "   "u8);
        text.AppendOctal(head.Mode, 3);
    }

    private static void Owners(ref IpcObject head, ref TextBuffer text)
    {
        Field(head.UserId, NumberWidth, ref text);
        Field(head.GroupId, NumberWidth, ref text);
        Field(head.CreatorUserId, NumberWidth, ref text);
        Field(head.CreatorGroupId, NumberWidth, ref text);
    }

    private static void Field(ulong value, int width, ref TextBuffer text)
    {
        text.Append((byte)' ');
        text.AppendNumber(value, width);
    }
}
