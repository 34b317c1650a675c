// What the processor component sends towards the tool for a session: output, wanted reads, terminal modes. Each session has a ring of its
// own that its credit bounds (StreamRequest.OutputWindowBytes), so a request is answered at once and nobody waits for another's reader. The
// rings are emptied into the transmitter in turn. Runs in the poller; nothing here blocks.

using System;
using Lego.Common.Control;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Manager.Sessions;

/// <summary>The way from sessions to the control channel.</summary>
public sealed unsafe class SessionOutput
{
    private readonly SessionTable _sessions;
    private readonly ControlTransmitter _transmitter;
    private int _turn;
    private ulong _outputBytes;

    public SessionOutput(SessionTable sessions, ControlTransmitter transmitter)
    {
        _sessions = sessions;
        _transmitter = transmitter;
    }

    /// <summary>Takes bytes of a stream. EINVAL, EPIPE: the session or the stream has gone, ENOBUFS: more than the credit.</summary>
    public Errno Accept(in StreamRequest stream, ReadOnlySpan<byte> bytes)
    {
        if (stream.Stream is 0 or > StreamRequest.Sentence || bytes.Length > StreamRequest.MaxBytes)
        {
            return Errno.EINVAL;
        }

        ControlFrameType type = stream.Stream switch
        {
            StreamRequest.Output => ControlFrameType.StandardOutput,
            StreamRequest.Error => ControlFrameType.StandardError,
            _ => ControlFrameType.Sentence,
        };
        Session* session = _sessions.Find(stream.Session);
        if (session != null && type != ControlFrameType.Sentence && session->News[stream.Stream - 1].Status != Errno.None)
        {
            return session->News[stream.Stream - 1].Status;
        }

        _outputBytes += (ulong)bytes.Length;
        return Add(session, type, bytes);
    }

    /// <summary>Takes another frame for a session, behind the output before it. EPIPE, ENOBUFS.</summary>
    public Errno Add(Session* session, ControlFrameType type, ReadOnlySpan<byte> payload)
    {
        if (session == null || session->Abandoned || session->State == SessionState.Ended)
        {
            return Errno.EPIPE;
        }

        bool isFirst = session->Output.Count == 0;
        if (isFirst && _transmitter.TryQueue(type, session->Tag, payload, default, ControlPriority.Bulk))
        {
            return Errno.None;
        }

        return session->Output.TryAdd(type, session->Tag, payload) ? Errno.None : Errno.ENOBUFS;
    }

    /// <summary>Moves frames to the transmitter, one of each session in turn; true when any went.</summary>
    public bool Send()
    {
        bool sent = false;
        int idle = 0;
        while (idle < SessionTable.MaxSessions)
        {
            Session* session = _sessions.At(_turn);
            if (session->State != SessionState.Free && session->Output.TryMoveOne(_transmitter, ControlPriority.Bulk))
            {
                sent = true;
                idle = 0;
                if (session->Output.Count == 0)
                {
                    session->Work.WakeAll();
                }
            }
            else
            {
                idle++;
            }

            _turn = (_turn + 1) % SessionTable.MaxSessions;
        }

        return sent;
    }

    public void Report(ref StatisticsWriter writer) => writer.Add("manager.output_bytes"u8, _outputBytes);
}
