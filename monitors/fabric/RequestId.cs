// Names of requests: a sequence number that only grows and, in the low byte, the slot that the request occupies at both ends until its
// reply has arrived (the session slots of NFSv4.1, RFC 8881 section 2.10.6). A later request in the same slot thereby acknowledges the
// earlier one, so that a target remembers at most one reply per slot. Ids are unique within one life of the requester; what belongs to
// another life does not get as far as having its id looked at (PeerIdentity.cs).

namespace Lego.Fabric;

/// <summary>Composition of <see cref="MessageHeader.RequestId"/>.</summary>
public static class RequestId
{
    /// <summary>Requests that one component may have outstanding at another: the per-peer window.</summary>
    public const int SlotCount = 64;
    /// <summary>The id that no request has.</summary>
    internal const ulong None = 0;

    private const int SlotBits = 8;
    private const uint SlotMask = 0xFF;

    public static ulong Compose(ulong sequence, uint slot) => (sequence << SlotBits) | slot;

    internal static ulong SequenceOf(ulong id) => id >> SlotBits;

    /// <summary>The slot; anything may come out of a hostile frame.</summary>
    public static uint SlotOf(ulong id) => (uint)id & SlotMask;
}
