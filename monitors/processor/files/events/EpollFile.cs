// The open file of an epoll instance (epoll(7)). It can be polled like any other and watched by another instance (EpollNesting).

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Operations of epoll instances.</summary>
public sealed unsafe class EpollFile(FileSystem files) : FileOperations(files)
{
    private const uint AnonymousInode = 1;
    private const uint OwnerOnly = 0x180;

    /// <summary>A new instance; null when memory is exhausted.</summary>
    public static OpenFile* Open(FileSystem files)
    {
        EpollSet* set = files.EpollSets.Allocate();
        OpenFile* file = set == null ? null : OpenFile.Create(files, FileKind.Epoll, OpenFlags.ReadWrite);
        if (file != null)
        {
            set->Files = files.Self;
            file->Epoll = set;
        }
        else if (set != null)
        {
            files.EpollSets.Free(set);
        }

        return file;
    }

    /// <summary>Linux's noop_llseek.</summary>
    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) => 0;

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = AnonymousStatus();
        return Errno.None;
    }

    public override PollEvents Poll(OpenFile* file)
    {
        EpollEntry* next;
        for (EpollEntry* entry = file->Epoll->FirstReady; entry != null; entry = next)
        {
            if (EpollSet.ReadyOf(entry) != PollEvents.None)
            {
                return PollEvents.Readable;
            }

            next = entry->NextReady;
            EpollSet.Leave(entry);
        }

        return PollEvents.None;
    }

    /// <summary>It has requests of its own, busy polling, and EINVAL is what it says to all others.</summary>
    public override long Control(Process* process, OpenFile* file, uint request, ulong argument) => CallResult.Fail(Errno.EINVAL);

    public override bool IsPrompted => true;

    public override Watchers* WatchersOf(OpenFile* file) => &file->Epoll->Watchers;

    /// <summary>Asks the files for what only comes when it is asked for. Asking may block, and entries may go meanwhile.</summary>
    public override void Prompt(Process* process, OpenFile* file)
    {
        EpollSet* set = file->Epoll;
        ulong round = ++set->Round;
        EpollEntry* entry = set->Prompted == 0 ? null : set->First;
        while (entry != null)
        {
            if (!entry->File->Operations.IsPrompted || entry->IsSpent || (entry->Wanted & PollEvents.In) == 0
                || entry->PromptedRound >= round)
            {
                entry = entry->Next;
                continue;
            }

            entry->PromptedRound = round;
            ulong removals = set->Removals;
            OpenFile* watched = entry->File;
            watched->References++;
            watched->Operations.Prompt(process, watched);
            OpenFile.Release(watched);
            entry = set->Removals == removals ? entry->Next : set->First;
        }
    }

    public override int Describe(OpenFile* file, Span<byte> text) => DescribeAnonymous("anon_inode:[eventpoll]"u8, text);

    public override void Close(OpenFile* file)
    {
        while (file->Epoll->First != null)
        {
            EpollEntry* entry = file->Epoll->First;
            EpollSet.Remove(entry);
            Files.EpollEntries.Free(entry);
        }

        Files.EpollSets.Free(file->Epoll);
    }

    /// <summary>fstat of what has no name: Linux's anonymous inode, which has no type.</summary>
    internal static FileStatus AnonymousStatus() => FileStatus.Synthetic(DeviceNumber.Anonymous, AnonymousInode, OwnerOnly);

    internal static int DescribeAnonymous(ReadOnlySpan<byte> name, Span<byte> text)
    {
        TextBuffer buffer = new(text);
        buffer.Append(name);
        return buffer.Text.Length;
    }
}
