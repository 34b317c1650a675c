// The standard streams of a program that the manager started, as this component sees them: who is in the foreground, the window size, the
// terminal's modes, the input that has arrived and what was asked for, the credit of the output. The line discipline is the business of the
// user's own terminal, which gets the modes that the program sets: bytes pass through unchanged. In a slab; lives while an open file refers
// to it.

using System;
using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Standard streams of one program and its descendants.</summary>
public unsafe struct TerminalSession
{
    public TerminalSession* Next;
    /// <summary>The manager's name for it.</summary>
    public uint Id;
    public StartFlags Flags;
    public uint References;
    public ushort Rows;
    public ushort Columns;
    /// <summary>Process group that Ctrl-C goes to and that may read (tcgetpgrp(3)).</summary>
    public uint ForegroundGroup;
    /// <summary>Session of the processes that have it as their controlling terminal.</summary>
    public uint SessionId;
    /// <summary>Standard input, and its end; of a terminal the end of one read.</summary>
    public ByteRing Input;
    public bool InputEnded;
    public Watchers Watchers;
    /// <summary>The user's side has something to read (or its end), which nobody has asked for yet.</summary>
    public bool InputReady;
    public InputDemand InputDemand;
    public SleepLock InputLock;
    public WaitQueue InputWait;
    /// <summary>Owner, permissions and times of all its streams.</summary>
    public SyntheticInode Attributes;
    public OutputCredit Output;
    public OutputCredit Error;
    public TerminalModes Modes;

    public readonly bool IsTerminal(int stream) => (Flags & (StartFlags)(1u << stream)) != 0;

    /// <summary>Credit of an output stream; a terminal opened for everything writes to the output.</summary>
    [System.Diagnostics.CodeAnalysis.UnscopedRef]
    public ref OutputCredit CreditOf(ushort stream) => ref (stream == StreamRequest.Error ? ref Error : ref Output);

    /// <summary>Another size of the window; SIGWINCH for the foreground group when it changes.</summary>
    public void Resize(Processes processes, ushort rows, ushort columns)
    {
        bool changed = rows != Rows || columns != Columns;
        Rows = rows;
        Columns = columns;
        if (changed)
        {
            Signals.SendToGroup(processes, ForegroundGroup, SignalInfo.FromKernel(Signal.WindowChange));
        }
    }

    /// <summary>A stream that is a terminal, preferably the input.</summary>
    public readonly byte TerminalStream => IsTerminal(0) ? (byte)0 : IsTerminal(1) ? (byte)1 : (byte)2;

    public readonly bool HasTerminal =>
        (Flags & (StartFlags.StandardInputIsTerminal | StartFlags.StandardOutputIsTerminal | StartFlags.StandardErrorIsTerminal)) != 0;
}

/// <summary>struct termios of the kernel's ABI (ioctl_tty(2)): 36 bytes.</summary>
public struct TerminalModes
{
    public const int ControlCharacterCount = 19;

    public uint Input;
    public uint Output;
    public uint Control;
    public uint Local;
    public byte LineDiscipline;
    public ControlCharacterTable ControlCharacters;

    /// <summary>As they travel.</summary>
    public readonly TerminalAttributes Attributes => Unsafe.As<TerminalModes, TerminalAttributes>(ref Unsafe.AsRef(in this));

    [InlineArray(ControlCharacterCount)]
    public struct ControlCharacterTable
    {
        private byte _first;
    }

    /// <summary>The modes of the user's terminal; those of a fresh one when there is none.</summary>
    public static TerminalModes From(in TerminalAttributes attributes) =>
        attributes.Control == 0 ? Default : Unsafe.As<TerminalAttributes, TerminalModes>(ref Unsafe.AsRef(in attributes));

    /// <summary>
    /// What a fresh Linux terminal has (tty_std_termios): ICRNL IXON, OPOST ONLCR, 38400 8 bits, ISIG ICANON ECHO and friends.
    /// </summary>
    public static TerminalModes Default
    {
        get
        {
            TerminalModes modes = default;
            modes.Input = 0x500;
            modes.Output = 0x5;
            modes.Control = 0xBF;
            modes.Local = 0x8A3B;
            ReadOnlySpan<byte> characters = [3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0, 0, 0];
            characters.CopyTo(modes.ControlCharacters);
            return modes;
        }
    }
}

/// <summary>All sessions of this component.</summary>
public sealed unsafe class TerminalSessions(FileSystem files)
{
    private readonly Slab<TerminalSession> _sessions = new(files.Frames);
    private TerminalSession* _first;

    /// <summary>Sessions that exist.</summary>
    public ulong Count => _sessions.InUse;

    /// <summary>A session for a program that is about to start, with one reference for the caller; null when memory is exhausted.</summary>
    public TerminalSession* Create(in StartProcessRequest request, uint leader)
    {
        TerminalSession* session = _sessions.Allocate();
        if (session != null)
        {
            session->Id = request.Session;
            session->Flags = request.Flags;
            session->Rows = request.TerminalRows;
            session->Columns = request.TerminalColumns;
            session->References = 1;
            session->ForegroundGroup = leader;
            session->SessionId = leader;
            session->Output.Open();
            session->Error.Open();
            session->Modes = TerminalModes.From(in request.Modes);
            session->Attributes = SyntheticInode.Create(userId: 0, groupId: 0);
            session->Next = _first;
            _first = session;
        }

        return session;
    }

    /// <summary>The session with the manager's name, or null when nothing refers to it any more.</summary>
    public TerminalSession* Find(uint id)
    {
        TerminalSession* session = _first;
        while (session != null && session->Id != id)
        {
            session = session->Next;
        }

        return session;
    }

    /// <summary>The session that a process belongs to when that has a terminal (/dev/tty), or null.</summary>
    public TerminalSession* TerminalOf(Process* process)
    {
        TerminalSession* session = Find(process->TerminalSession);
        return session != null && session->HasTerminal && session->SessionId == process->SessionId ? session : null;
    }

    /// <summary>
    /// TIOCSCTTY (ioctl_tty(2)): the terminal becomes the caller's, whose group comes to the foreground. Only a session leader without a
    /// terminal may take one, and only root one that another session has, if it says so. EPERM.
    /// </summary>
    public Errno TakeControl(Process* process, TerminalSession* session, bool steals)
    {
        if (process->Id == process->SessionId && session->SessionId == process->SessionId)
        {
            return Errno.None;
        }

        if (process->Id != process->SessionId || HasControlling(process))
        {
            return Errno.EPERM;
        }

        bool taken = HasMembers(session->SessionId);
        if (taken && !(steals && process->EffectiveUserId == 0))
        {
            return Errno.EPERM;
        }

        session->SessionId = process->SessionId;
        session->ForegroundGroup = process->Group;
        process->TerminalSession = session->Id;
        return Errno.None;
    }

    /// <summary>Forgets input that nobody has read yet; after whoever is reading now.</summary>
    [Blocks]
    public void FlushInput(TerminalSession* session)
    {
        using SleepLock.Guard input = session->InputLock.Acquire();
        session->Input.Clear(files.Frames);
    }

    private bool HasMembers(uint session)
    {
        for (Process* process = files.Processes.First; process != null; process = process->Next)
        {
            if (process->SessionId == session && process->State != ProcessState.Zombie)
            {
                return true;
            }
        }

        return false;
    }

    private bool HasControlling(Process* process)
    {
        for (TerminalSession* session = _first; session != null; session = session->Next)
        {
            if (session->HasTerminal && session->SessionId == process->SessionId)
            {
                return true;
            }
        }

        return false;
    }

    public void Release(TerminalSession* session)
    {
        if (--session->References != 0)
        {
            return;
        }

        if (_first == session)
        {
            _first = session->Next;
        }
        else
        {
            TerminalSession* previous = _first;
            while (previous->Next != session)
            {
                previous = previous->Next;
            }

            previous->Next = session->Next;
        }

        session->Input.Clear(files.Frames);
        _sessions.Free(session);
    }

    /// <summary>Gives a new process descriptors 0, 1 and 2 on its session. ENOMEM.</summary>
    public Errno OpenStandardStreams(FileTable* table, TerminalSession* session)
    {
        for (byte stream = 0; stream < 3; stream++)
        {
            OpenFlags flags = session->IsTerminal(stream) ? OpenFlags.ReadWrite : stream == 0 ? OpenFlags.ReadOnly : OpenFlags.WriteOnly;
            OpenFile* file = StandardStream.Open(files, session, stream, flags);
            if (file == null)
            {
                return Errno.ENOMEM;
            }

            Errno error = table->Install(file, closeOnExec: false, stream, FileTable.MaxDescriptors, out _);
            if (error != Errno.None)
            {
                OpenFile.Release(file);
                return error;
            }
        }

        return Errno.None;
    }

    /// <summary>
    /// Standard input has arrived from the manager, its end, or the news that there is some; it answers wanted reads. Bytes for a session
    /// that nothing reads any more are dropped. Never blocks: called by the service of group 6.
    /// </summary>
    public void AcceptInput(in StreamRequest request, ReadOnlySpan<byte> bytes)
    {
        TerminalSession* session = Find(request.Session);
        if (session == null)
        {
            return;
        }

        session->InputDemand.Answer(request.Answered);
        session->InputEnded |= request.Stream == StreamRequest.InputEnd;
        session->InputReady |= bytes.IsEmpty;
        if (session->Input.Append(files.Frames, bytes) != bytes.Length)
        {
            Log.Warn($"session {request.Session}: standard input was lost, memory is exhausted");
        }

        session->InputWait.WakeAll();
        files.Readiness.Notify(ref session->Watchers, PollEvents.Readable | PollEvents.HangUp);
    }

    /// <summary>The user's side has written output or has closed a stream. ESRCH, EINVAL. Never blocks.</summary>
    public Errno AcceptCredit(in OutputCreditRequest request)
    {
        TerminalSession* session = Find(request.Session);
        if (session == null)
        {
            return Errno.ESRCH;
        }

        if (request.Stream is not (StreamRequest.Output or StreamRequest.Error))
        {
            return Errno.EINVAL;
        }

        ref OutputCredit credit = ref session->CreditOf(request.Stream);
        credit.Return(request.Bytes);
        if (request.Status != 0)
        {
            credit.Close((Errno)request.Status);
        }

        files.Readiness.Notify(ref session->Watchers, PollEvents.Writable | PollEvents.Error);
        return Errno.None;
    }

    /// <summary>The users' sides of all sessions have gone: no more input comes, no more output is taken. Never blocks.</summary>
    public void HangUpAll()
    {
        for (TerminalSession* session = _first; session != null; session = session->Next)
        {
            StreamRequest end = new() { Session = session->Id, Stream = StreamRequest.InputEnd };
            AcceptInput(in end, default);
            for (ushort stream = StreamRequest.Output; stream <= StreamRequest.Error; stream++)
            {
                OutputCreditRequest closed = new() { Session = session->Id, Stream = stream, Status = (ushort)Errno.EPIPE };
                AcceptCredit(in closed);
            }
        }
    }

    /// <summary>The user's terminal has another size: the foreground group hears of it (SIGWINCH). ESRCH. Never blocks.</summary>
    public Errno AcceptWindowSize(in WindowSizeRequest request)
    {
        TerminalSession* session = Find(request.Session);
        if (session == null)
        {
            return Errno.ESRCH;
        }

        session->Resize(files.Processes, request.Rows, request.Columns);
        return Errno.None;
    }
}
