// ioctl requests of terminals (ioctl_tty(2)): modes, window size, foreground group. Modes are remembered here and set at the user's own
// terminal, which has the line discipline. BLOCKS in copies and messages.

using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct winsize.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct WindowSize
{
    public ushort Rows;
    public ushort Columns;
    public ushort PixelWidth;
    public ushort PixelHeight;
}

/// <summary>The requests, by number, and what they do.</summary>
public static unsafe class TerminalRequests
{
    /// <summary>FIGETBSZ, of any file.</summary>
    public const uint BlockSize = 2;
    public const uint GetModes = 0x5401;
    public const uint SetModes = 0x5402;
    public const uint SetModesDrained = 0x5403;
    public const uint SetModesFlushed = 0x5404;
    public const uint SendBreak = 0x5409;
    public const uint Flow = 0x540A;
    public const uint Flush = 0x540B;
    public const uint SetControlling = 0x540E;
    public const uint GetForeground = 0x540F;
    public const uint SetForeground = 0x5410;
    public const uint BytesToWrite = 0x5411;
    public const uint GetWindowSize = 0x5413;
    public const uint SetWindowSize = 0x5414;
    public const uint BytesReadable = 0x541B;
    public const uint SetNonBlocking = 0x5421;
    public const uint SetSignalDriven = 0x5452;
    public const uint GiveUpControlling = 0x5422;
    public const uint GetSession = 0x5429;
    public const uint ClearCloseOnExec = 0x5450;
    public const uint SetCloseOnExec = 0x5451;

    private const ulong FlushInput = 0;
    private const ulong FlushBoth = 2;

    /// <summary>A request to a terminal. ENOTTY for unknown ones. May BLOCK in copies.</summary>
    public static long Control(Process* process, TerminalSession* session, uint request, ulong argument)
    {
        switch (request)
        {
            case GetModes:
                return CallResult.Of(new UserPointer<TerminalModes>(argument).Write(process, in session->Modes));
            case SetModes:
            case SetModesDrained:
            case SetModesFlushed:
                return ChangeModes(process, session, request, argument);
            case GetWindowSize:
                WindowSize size = new() { Rows = session->Rows, Columns = session->Columns };
                return CallResult.Of(new UserPointer<WindowSize>(argument).Write(process, in size));
            case SetWindowSize:
                return ChangeWindowSize(process, session, argument);
            case GetForeground:
                return CallResult.Of(new UserPointer<uint>(argument).Write(process, in session->ForegroundGroup));
            case SetForeground:
                return ChangeForeground(process, session, argument);
            case GetSession:
                return CallResult.Of(new UserPointer<uint>(argument).Write(process, in session->SessionId));
            case BytesToWrite:
                return CallResult.Of(new UserPointer<int>(argument).Write(process, 0));
            case Flush:
                if (argument is FlushInput or FlushBoth)
                {
                    FileSystem.Of(process).Sessions.FlushInput(session);
                }

                return 0;
            case SetControlling:
                return CallResult.Of(FileSystem.Of(process).Sessions.TakeControl(process, session, steals: argument == 1));
            case SendBreak:
            case Flow:
            case GiveUpControlling:
                return 0;
            default:
                return CallResult.Fail(Errno.ENOTTY);
        }
    }

    private static long ChangeModes(Process* process, TerminalSession* session, uint request, ulong argument)
    {
        Errno error = new UserPointer<TerminalModes>(argument).Read(process, out TerminalModes modes);
        if (error != Errno.None)
        {
            return CallResult.Fail(error);
        }

        session->Modes = modes;
        if (request == SetModesFlushed)
        {
            FileSystem.Of(process).Sessions.FlushInput(session);
        }

        TerminalModesRequest message = new()
        {
            Session = session->Id,
            Action = (TerminalAction)(request - SetModes),
            Modes = modes.Attributes,
        };
        RpcContext context = new() { Class = RpcClass.Stream };
        Processes table = process->Table;
        error = table.Rpc.Call(table.Manager, Opcode.TerminalModes, in context, in message, default, default, out _);
        // A user who has gone has no terminal to set.
        return error == Errno.EPIPE ? 0 : CallResult.Of(FileCaller.ToProgram(error));
    }

    private static long ChangeWindowSize(Process* process, TerminalSession* session, ulong argument)
    {
        Errno error = new UserPointer<WindowSize>(argument).Read(process, out WindowSize size);
        if (error != Errno.None)
        {
            return CallResult.Fail(error);
        }

        session->Resize(process->Table, size.Rows, size.Columns);
        return 0;
    }

    /// <summary>TIOCSPGRP: a background caller that neither blocks nor ignores it gets SIGTTOU first (tcsetpgrp(3)).</summary>
    private static long ChangeForeground(Process* process, TerminalSession* session, ulong argument)
    {
        Errno error = new UserPointer<int>(argument).Read(process, out int group);
        if (error != Errno.None)
        {
            return CallResult.Fail(error);
        }

        if (process->SessionId != session->SessionId)
        {
            return CallResult.Fail(Errno.ENOTTY);
        }

        if (group < 0)
        {
            return CallResult.Fail(Errno.EINVAL);
        }

        if (!process->Table.IsGroupInSession((uint)group, session->SessionId))
        {
            return CallResult.Fail(Errno.EPERM);
        }

        bool shielded = Signals.IsIgnored(process, Signal.TerminalOutput)
            || (UserThread.ActingFor(process)->BlockedSignals & Signal.Bit(Signal.TerminalOutput)) != 0;
        if (process->Group != session->ForegroundGroup && !shielded)
        {
            // EIO: nobody is left who could continue an orphaned group (tcsetpgrp(3), POSIX).
            if (ProcessGroups.IsOrphaned(process))
            {
                return CallResult.Fail(Errno.EIO);
            }

            Signals.SendToGroup(process->Table, process->Group, SignalInfo.FromKernel(Signal.TerminalOutput));
            return CallResult.Fail(Errno.EINTR);
        }

        session->ForegroundGroup = (uint)group;
        return 0;
    }
}
