// What a peer must not be able to guess, from one key that is made at boot: initial sequence numbers (RFC 6528), the offset of a
// connection's timestamps (RFC 7323, 5.4), SYN cookies (RFC 4987, 3.6), the order of ephemeral ports (RFC 6056).
//
// A cookie is the sequence number of a SYN-ACK for a connection of which nothing is kept. Its low 24 bits are a hash of both ends and of
// the minute, plus the index of the peer's MSS; its high 8 bits are the minute, and another hash and the peer's sequence number hide all.
// What else the SYN offered comes back in the low bits of our timestamp, when there are timestamps.

using System;

namespace Lego.Kernel;

/// <summary>Keeps hashes for different things apart.</summary>
internal enum SecretPurpose : ulong
{
    SequenceNumber = 1,
    TimestampOffset,
    CookieMinute,
    CookieBase,
    EphemeralPort,
    ChallengeBudget,
}

/// <summary>The keyed hash of a connection's two ends.</summary>
internal static class TupleHash
{
    internal static ulong Of(SipHash hash, in SocketAddress local, in SocketAddress remote, SecretPurpose purpose, uint salt = 0)
    {
        Span<ulong> words = stackalloc ulong[6];
        words[0] = local.Address.FirstWord;
        words[1] = local.Address.SecondWord;
        words[2] = remote.Address.FirstWord;
        words[3] = remote.Address.SecondWord;
        words[4] = ((ulong)local.Port << 16) | remote.Port;
        words[5] = (ulong)purpose | ((ulong)salt << 8);
        return hash.Of(words);
    }
}

/// <summary>Numbers under a key.</summary>
internal readonly struct TcpSecrets(SipHash hash)
{
    /// <summary>The clock of sequence numbers: a tick of 4 us (RFC 9293, 3.4.1), here 4.096 us by a shift.</summary>
    private const int SequenceTickShift = 12;

    private const ulong MinuteNs = 64_000_000_000;

    /// <summary>A cookie is honoured for so many minutes after its own.</summary>
    private const uint CookieMinutes = 2;
    private const uint CookieMask = 0xFFFFFF;
    private const int CookieMinuteShift = 24;

    /// <summary>
    /// MSS values that a cookie can tell, after Linux's measured list: the largest one that is not above the peer's is chosen.
    /// </summary>
    private static ReadOnlySpan<ushort> CookieSegmentSizes => [536, 1220, 1300, 1380, 1440, 1460, 4312, 8960];

    /// <summary>ISN = M + F(both ends, key) (RFC 6528, 3).</summary>
    internal uint InitialSequence(in SocketAddress local, in SocketAddress remote, ulong nowNs) =>
        (uint)(nowNs >> SequenceTickShift) + (uint)TupleHash.Of(hash, in local, in remote, SecretPurpose.SequenceNumber);

    /// <summary>Added to the millisecond clock in a connection's timestamps.</summary>
    internal uint TimestampOffset(in SocketAddress local, in SocketAddress remote) =>
        (uint)TupleHash.Of(hash, in local, in remote, SecretPurpose.TimestampOffset);

    /// <summary>The initial sequence number that stands for a SYN.</summary>
    internal uint MakeCookie(in SocketAddress local, in SocketAddress remote, uint peerSequence, uint peerMss, ulong nowNs)
    {
        uint minute = (uint)(nowNs / MinuteNs);
        uint index = 0;
        while (index + 1 < (uint)CookieSegmentSizes.Length && CookieSegmentSizes[(int)index + 1] <= peerMss)
        {
            index++;
        }

        return CookieBase(in local, in remote) + peerSequence + (minute << CookieMinuteShift)
            + ((CookieHash(in local, in remote, minute) + index) & CookieMask);
    }

    /// <summary>The MSS of the SYN for which this cookie was made not long ago; 0: it is none of ours.</summary>
    internal uint ReadCookie(in SocketAddress local, in SocketAddress remote, uint peerSequence, uint cookie, ulong nowNs)
    {
        uint bare = cookie - CookieBase(in local, in remote) - peerSequence;
        uint minute = (uint)(nowNs / MinuteNs);
        uint age = (minute - (bare >> CookieMinuteShift)) & 0xFF;
        if (age > CookieMinutes)
        {
            return 0;
        }

        uint index = (bare - CookieHash(in local, in remote, minute - age)) & CookieMask;
        return index < (uint)CookieSegmentSizes.Length ? CookieSegmentSizes[(int)index] : 0u;
    }

    /// <summary>A number that changes with its argument and cannot be foreseen.</summary>
    internal uint Unforeseen(ulong number) => (uint)hash.Of((ulong)SecretPurpose.ChallengeBudget, number);

    private uint CookieBase(in SocketAddress local, in SocketAddress remote) =>
        (uint)TupleHash.Of(hash, in local, in remote, SecretPurpose.CookieBase);

    private uint CookieHash(in SocketAddress local, in SocketAddress remote, uint minute) =>
        (uint)TupleHash.Of(hash, in local, in remote, SecretPurpose.CookieMinute, minute);
}
