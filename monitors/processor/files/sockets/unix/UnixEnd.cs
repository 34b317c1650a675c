// The AF_UNIX part of a socket (unix(7)).

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct ucred.</summary>
[StructLayout(LayoutKind.Sequential)]
public struct PeerIdentity
{
    public uint ProcessId;
    public uint UserId;
    public uint GroupId;

    /// <summary>Nobody in particular: a peer that has never been there.</summary>
    public static PeerIdentity None => new() { UserId = uint.MaxValue, GroupId = uint.MaxValue };
}

/// <summary>Peer, name, queue and backlog of one socket.</summary>
public unsafe struct UnixEnd
{
    /// <summary>Where it sends to, with a reference; null: it is not connected.</summary>
    public Socket* Peer;
    /// <summary>Null: it has none. Shared with the sockets that a listening one accepts.</summary>
    public UnixName* Name;
    /// <summary>What has arrived, oldest first, and how many messages.</summary>
    public UnixMessage* FirstMessage;
    public UnixMessage* LastMessage;
    public int MessageCount;
    /// <summary>The message whose byte is urgent and has not been read (MSG_OOB); null: none.</summary>
    public UnixMessage* Urgent;
    /// <summary>What its messages that have not been received are counted as (UnixMessage.Charge).</summary>
    public int SentBytes;
    /// <summary>Somebody has found no room, and SIGIO has not told of any since (Linux's SOCKWQ_ASYNC_NOSPACE).</summary>
    public bool LacksRoom;
    /// <summary>Senders of datagrams wait here for room in its queue, and who connects for room in its backlog.</summary>
    public WaitQueue RoomWait;
    /// <summary>Connections to accept, oldest first, with a reference each.</summary>
    public Socket* FirstPending;
    public Socket* LastPending;
    public Socket* NextPending;
    public int PendingCount;
    public int Backlog;
    public PeerIdentity Own;
    public PeerIdentity PeerIdentity;
    /// <summary>Messages on the way that carry its open file, and what the search for garbage makes of them (UnixGarbage).</summary>
    public uint InFlight;
    public uint InFlightOfSuspects;
    public bool IsSuspect;
    public Socket* NextSuspect;
    /// <summary>The next one with a name of the same hash.</summary>
    public Socket* NextBound;
}
