// Signals that are read (signalfd(2)). What is read are the signals that are pending for the process and thread that reads, whoever made
// the descriptor; so all of these files are told of each signal that is kept, and look. In a slab; freed with its open file.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Which signals one file gives, and who waits for them.</summary>
public unsafe struct SignalSet
{
    public ulong Mask;
    public WaitQueue Arrived;
    public Watchers Watchers;
    public SignalSet* Next;
    public SignalSet* Previous;
}

/// <summary>struct signalfd_siginfo.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
public struct SignalRecord
{
    [FieldOffset(0)] public uint Number;
    [FieldOffset(4)] public int Error;
    [FieldOffset(8)] public int Code;
    [FieldOffset(12)] public uint ProcessId;
    [FieldOffset(16)] public uint UserId;
    [FieldOffset(20)] public int Descriptor;
    [FieldOffset(24)] public uint TimerId;
    [FieldOffset(28)] public uint Band;
    [FieldOffset(32)] public uint Overruns;
    [FieldOffset(40)] public int Status;
    [FieldOffset(44)] public int Integer;
    [FieldOffset(48)] public ulong Pointer;
    [FieldOffset(72)] public ulong Address;

    /// <summary>What a reader sees of a signal; which fields count depends on its code.</summary>
    public static SignalRecord From(in SignalInfo info)
    {
        SignalRecord record = new() { Number = (uint)info.Number, Error = info.Error, Code = info.Code };
        if (SignalInfoFrame.IsOfFile(in info))
        {
            record.Band = info.ProcessId;
            record.Descriptor = (int)info.Value;
            return record;
        }

        if (info.Code == SignalCode.Timer)
        {
            record.TimerId = info.ProcessId;
            record.Overruns = info.UserId;
        }
        else
        {
            record.ProcessId = info.ProcessId;
            record.UserId = info.UserId;
        }

        record.Status = info.Number == Signal.Child && info.Code > 0 ? info.Status : 0;
        if (info.Code < 0 && info.Code != SignalCode.Thread)
        {
            record.Pointer = info.Value;
            record.Integer = (int)info.Value;
        }

        return record;
    }
}

/// <summary>Operations of signal files.</summary>
public sealed unsafe class SignalFile(FileSystem files) : FileOperations(files)
{
    private readonly Slab<SignalSet> _sets = new(files.Frames);
    private SignalSet* _first;

    /// <summary>A new file that gives the signals of a mask; null when memory is exhausted.</summary>
    public OpenFile* Open(ulong mask, OpenFlags flags)
    {
        SignalSet* set = _sets.Allocate();
        OpenFile* file = set == null ? null : OpenFile.Create(Files, FileKind.Signal, OpenFlags.ReadWrite | flags);
        if (file == null)
        {
            if (set != null)
            {
                _sets.Free(set);
            }

            return null;
        }

        set->Mask = mask;
        set->Next = _first;
        if (_first != null)
        {
            _first->Previous = set;
        }

        _first = set;
        file->SignalSet = set;
        return file;
    }

    /// <summary>Gives other signals from now on.</summary>
    public void Change(SignalSet* set, ulong mask)
    {
        set->Mask = mask;
        Tell(set);
    }

    /// <summary>A signal has become pending for some process.</summary>
    public void OnSignal(int number)
    {
        for (SignalSet* set = _first; set != null; set = set->Next)
        {
            if ((set->Mask & Signal.Bit(number)) != 0)
            {
                Tell(set);
            }
        }
    }

    /// <summary>Gives as many signals as are pending and fit.</summary>
    public override long Read(Process* process, OpenFile* file, ref ulong position, ref IoVector to)
    {
        UserThread* thread = UserThread.ActingFor(process);
        SignalSet* set = file->SignalSet;
        long total = 0;
        if (to.RemainingBytes < (ulong)sizeof(SignalRecord))
        {
            return CallResult.Fail(Errno.EINVAL);
        }

        while (to.RemainingBytes >= (ulong)sizeof(SignalRecord))
        {
            if (Signals.TryDequeue(thread, ~set->Mask, out SignalInfo info))
            {
                SignalRecord record = SignalRecord.From(in info);
                Errno copied = to.Give(MemoryMarshal.AsBytes(new ReadOnlySpan<SignalRecord>(in record)), out _);
                if (copied != Errno.None)
                {
                    return total != 0 ? total : CallResult.Fail(copied);
                }

                total += sizeof(SignalRecord);
                continue;
            }

            Errno error = total != 0 || file->IsNonBlocking ? Errno.EAGAIN : Signals.Wait(ref set->Arrived);
            if (error != Errno.None)
            {
                return total != 0 ? total : CallResult.Fail(error);
            }
        }

        return total;
    }

    /// <summary>Linux's noop_llseek.</summary>
    public override long Seek(Process* process, OpenFile* file, long offset, SeekOrigin origin) => 0;

    public override Errno Status(Process* process, OpenFile* file, out FileStatus status)
    {
        status = EpollFile.AnonymousStatus();
        return Errno.None;
    }

    public override PollEvents Poll(OpenFile* file)
    {
        UserThread* thread = UserThread.Current;
        bool isPending = thread != null && ((thread->Pending.Mask | thread->Process->Pending.Mask) & file->SignalSet->Mask) != 0;
        return isPending ? PollEvents.Readable : PollEvents.None;
    }

    public override Watchers* WatchersOf(OpenFile* file) => &file->SignalSet->Watchers;

    public override int Describe(OpenFile* file, Span<byte> text) => EpollFile.DescribeAnonymous("anon_inode:[signalfd]"u8, text);

    public override void Close(OpenFile* file)
    {
        SignalSet* set = file->SignalSet;
        if (set->Previous == null)
        {
            _first = set->Next;
        }
        else
        {
            set->Previous->Next = set->Next;
        }

        if (set->Next != null)
        {
            set->Next->Previous = set->Previous;
        }

        _sets.Free(set);
    }

    private void Tell(SignalSet* set)
    {
        set->Arrived.WakeAll();
        Files.Readiness.Notify(ref set->Watchers, PollEvents.Readable);
    }
}
