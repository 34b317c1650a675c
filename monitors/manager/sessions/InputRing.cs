// The bytes of a session's standard input between the tool's frames and the processor component. Functions over a Session, because the ring
// lies in the session's buffers. Never block.

using System;

namespace Lego.Manager.Sessions;

/// <summary>A bounded byte ring.</summary>
public static unsafe class InputRing
{
    /// <summary>Takes all bytes, or none when they do not fit (the tool sent more than it was asked for).</summary>
    public static bool TryAdd(Session* session, ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > Session.InputBytes - session->InputCount)
        {
            return false;
        }

        int tail = (session->InputHead + session->InputCount) % Session.InputBytes;
        int run = Math.Min(bytes.Length, Session.InputBytes - tail);
        bytes.Slice(0, run).CopyTo(new Span<byte>(session->Buffers + tail, run));
        bytes.Slice(run).CopyTo(new Span<byte>(session->Buffers, Session.InputBytes));
        session->InputCount += bytes.Length;
        return true;
    }

    /// <summary>The oldest bytes that lie in one piece, at most <paramref name="limit"/>.</summary>
    public static ReadOnlySpan<byte> Peek(Session* session, int limit)
    {
        int run = Math.Min(session->InputCount, Session.InputBytes - session->InputHead);
        return new ReadOnlySpan<byte>(session->Buffers + session->InputHead, Math.Min(run, limit));
    }

    /// <summary>Drops the oldest bytes.</summary>
    public static void Remove(Session* session, int count)
    {
        session->InputHead = (session->InputHead + count) % Session.InputBytes;
        session->InputCount -= count;
    }
}
