// Tcp: SYN cookies (RFC 4987, 3.6). A SYN for which a listener has no room is answered by a sequence number that stands for it
// (TcpSecrets.cs), and nothing is kept; the acknowledgment that brings the number back makes the connection. What the number cannot tell,
// SACK and the window scale, rides in the low bits of our timestamp.

using System;

namespace Lego.Kernel;

public sealed unsafe partial class Tcp
{
    /// <summary>An acknowledgment is taken for a cookie only so long after one was sent.</summary>
    private const ulong CookieLifeNs = 192 * SecondNs;

    /// <summary>
    /// What a SYN's timestamp carries home in a cookie's connection: the window scale in four bits (15 = none), then SACK.
    /// </summary>
    private const uint CookieScaleMask = 0xF;
    private const uint CookieNoScale = 0xF;
    private const uint CookieSack = 0x10;
    private const uint CookieTimestampMask = 0x1F;

    /// <summary>Answers a SYN by a cookie.</summary>
    private void SendCookie(TcpConnection* listener, in SocketAddress local, in SocketAddress remote, uint interfaceIndex,
        in TcpHeader header, scoped ref TcpOptions options, ulong nowNs)
    {
        _counters.CookiesSent++;
        listener->LastCookieNs = nowNs;
        uint mss = options.Mss != 0 ? options.Mss : remote.Address.IsV4 ? DefaultMssV4 : DefaultMssV6;
        uint cookie = _secrets.MakeCookie(in local, in remote, header.Sequence, mss, nowNs);
        TcpOptions answer = default;
        answer.Mss = OwnMss(_host.PayloadLimit(local.Address, remote.Address, interfaceIndex), listener->UserMss);
        if (options.HasTimestamps)
        {
            uint carried = (options.HasWindowScale ? options.WindowScale : CookieNoScale) | (options.IsSackPermitted ? CookieSack : 0);
            answer.HasTimestamps = true;
            answer.TimestampValue = CookieTimestamp(in local, in remote, carried, nowNs);
            answer.TimestampEcho = options.TimestampValue;
            answer.IsSackPermitted = options.IsSackPermitted;
            answer.HasWindowScale = options.HasWindowScale;
            answer.WindowScale = OwnScale;
        }

        Span<byte> segment = stackalloc byte[TcpHeader.MaximumBytes];
        int length = TcpHeader.MinimumBytes + answer.Write(segment[TcpHeader.MinimumBytes..]);
        segment = segment[..length];
        TcpHeader.Write(segment, local.Port, remote.Port, cookie, header.Sequence + 1, TcpFlags.Syn | TcpFlags.Ack,
            (ushort)Math.Min(listener->ReceiveLimit, ushort.MaxValue), 0);
        SendBare(in local, in remote, interfaceIndex, segment);
    }

    /// <summary>
    /// The latest timestamp not after now whose low bits are the carried ones; the connection goes on with the same offset.
    /// </summary>
    private uint CookieTimestamp(in SocketAddress local, in SocketAddress remote, uint carried, ulong nowNs)
    {
        uint timestamp = Milliseconds(nowNs) + _secrets.TimestampOffset(in local, in remote);
        uint marked = (timestamp & ~CookieTimestampMask) | carried;
        return SequenceNumber.IsAfter(marked, timestamp) ? marked - (CookieTimestampMask + 1) : marked;
    }

    /// <summary>An acknowledgment for which there is no connection: does it answer a cookie of ours?</summary>
    private bool TryAcceptCookie(TcpConnection* listener, in SocketAddress local, in SocketAddress remote, uint interfaceIndex,
        in TcpHeader header, ulong nowNs)
    {
        if (listener->LastCookieNs == 0 || nowNs - listener->LastCookieNs > CookieLifeNs)
        {
            return false;
        }

        uint cookie = header.Acknowledgment - 1;
        uint peerSequence = header.Sequence - 1;
        uint mss = _secrets.ReadCookie(in local, in remote, peerSequence, cookie, nowNs);
        if (mss == 0)
        {
            _counters.CookiesRefused++;
            return false;
        }

        bool isFull = listener->AcceptCount > BacklogOf(listener, interfaceIndex);
        TcpConnection* child = isFull ? null : MakeChild(listener, in local, in remote);
        if (child == null)
        {
            _counters.BacklogFull++;
            return true;
        }

        _counters.CookiesAccepted++;
        child->Iss = cookie;
        child->TimestampOffset = _secrets.TimestampOffset(in local, in remote);
        BeginSending(child);
        BeginReceiving(child, peerSequence);
        TcpOptions options = default;
        TcpOptions.Parse(header.Options, ref options);
        TcpOptions offered = default;
        offered.Mss = (ushort)mss;
        if (options.HasTimestamps)
        {
            offered.HasTimestamps = true;
            offered.TimestampValue = options.TimestampValue;
            offered.IsSackPermitted = (options.TimestampEcho & CookieSack) != 0;
            offered.HasWindowScale = (options.TimestampEcho & CookieScaleMask) != CookieNoScale;
            offered.WindowScale = (byte)(options.TimestampEcho & CookieScaleMask);
        }

        Agree(child, ref offered, nowNs);
        child->SndUna = cookie + 1;
        child->SndNxt = cookie + 1;
        SetSendWindow(child, (uint)header.Window << child->SndScale, header.Sequence, header.Acknowledgment);
        Establish(child, nowNs);
        AddAcceptable(listener, child);
        _host.Changed(listener);
        if (header.Payload.Length > 0 || (header.Flags & TcpFlags.Fin) != 0)
        {
            OnConnectionSegment(child, in header, EcnCodepoint.NotCapable, interfaceIndex, nowNs);
        }

        return true;
    }
}
