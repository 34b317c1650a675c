// The three standard streams of a session that the manager started: the part of files/TerminalSession.cs that the start of programs and the
// service of group 6 use.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Streams by session.</summary>
public static unsafe class StandardStreams
{
    /// <summary>Opens descriptors 0, 1 and 2 of a session's first process. ENOMEM.</summary>
    public static Errno Attach(Process* process, in StartProcessRequest request)
    {
        TerminalSessions sessions = FileSystem.Of(process).Sessions;
        TerminalSession* session = sessions.Create(in request, process->Id);
        if (session == null)
        {
            return Errno.ENOMEM;
        }

        Errno error = sessions.OpenStandardStreams(FileTable.Of(process), session);
        // The descriptors keep it from here on.
        sessions.Release(session);
        return error;
    }

    /// <summary>Takes standard input from the manager; replies to the request. Never blocks.</summary>
    public static void TakeInput(FileSystem files, ref RpcRequest request)
    {
        if (!request.TryReadHead(out StreamRequest head, out ReadOnlySpan<byte> bytes))
        {
            request.Reply(Errno.EPROTO);
            return;
        }

        files.Sessions.AcceptInput(in head, bytes);
        request.Reply(Errno.None);
    }

    /// <summary>Takes credit for output from the manager; replies to the request. Never blocks.</summary>
    public static void TakeCredit(FileSystem files, ref RpcRequest request)
    {
        bool isWhole = request.TryReadHead(out OutputCreditRequest credit, out _);
        request.Reply(isWhole ? files.Sessions.AcceptCredit(in credit) : Errno.EPROTO);
    }

    /// <summary>The user's window has another size; replies to the request. Never blocks.</summary>
    public static void TakeWindowSize(FileSystem files, ref RpcRequest request)
    {
        bool isWhole = request.TryReadHead(out WindowSizeRequest size, out _);
        request.Reply(isWhole ? files.Sessions.AcceptWindowSize(in size) : Errno.EPROTO);
    }

    /// <summary>The foreground process group of a session; 0 when the session does not exist.</summary>
    public static uint ForegroundGroup(FileSystem files, uint session)
    {
        TerminalSession* found = files.Sessions.Find(session);
        return found == null ? 0 : found->ForegroundGroup;
    }
}
