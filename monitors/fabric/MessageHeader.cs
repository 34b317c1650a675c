// The 64 bytes that begin every frame of the fabric: the representation. A frame holds one message, or one fragment of a message where
// the link's frames are shorter than it. Little endian; the struct's layout is the wire layout. docs/protocol.md has the table.
// MessageFrame.cs turns received bytes into one of these, after checking them.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;

namespace Lego.Fabric;

/// <summary>What a frame is for.</summary>
public enum MessageKind : byte
{
    /// <summary>Asks for something; the opcode says what.</summary>
    Request = 1,
    /// <summary>The answer, with the request's id. It is also the acknowledgement.</summary>
    Reply = 2,
    /// <summary>Answer to a repeated request or a probe: it is still being worked on. No body.</summary>
    InProgress = 3,
    /// <summary>The target has no room to queue the request and has done nothing; send it again later. No body.</summary>
    Busy = 4,
    /// <summary>The request carries an epoch older than the target's and was not executed. Epoch says the target's. No body.</summary>
    StaleEpoch = 5,
    /// <summary>Asks what has become of a request, over a link that loses nothing, or (id 0) whether anybody is there. No body.</summary>
    Probe = 6,
    /// <summary>Goes back as it came, below the RPC layer: what a page's way there and back costs on the bare link.</summary>
    RawEcho = 7,
    /// <summary>A raw echo that has come back.</summary>
    RawEchoReply = 8,
    /// <summary>Answer to a probe: no such request is being worked on. No body.</summary>
    NotHere = 9,
    /// <summary>Makes two lives known to each other (PeerIdentity.cs). Body: a Greeting.</summary>
    Greeting = 10,
}

/// <summary>Properties of a frame that its kind does not say.</summary>
[System.Flags]
public enum MessageFlags : byte
{
    None = 0,
    /// <summary>The requester has sent this request before.</summary>
    Retransmit = 1,
    /// <summary>The checksum is filled in.</summary>
    Checksummed = 4,
}

/// <summary>Identity, place in the message, and purpose of one frame.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct MessageHeader
{
    public const int SizeBytes = 64;
    /// <summary>"LEGO" in memory order.</summary>
    public const uint MagicValue = 0x4F47454C;
    public const byte CurrentVersion = 2;
    /// <summary>Longest body of a message, all fragments together: 64 KB and one page.</summary>
    public const int MaxBodyBytes = (64 * 1024) + 4096;
    /// <summary>Most fragments of one message.</summary>
    public const int MaxFragments = 64;
    /// <summary>Offset of <see cref="Checksum"/>, the last field.</summary>
    public const int ChecksumOffset = 60;

    public uint Magic;
    public byte Version;
    public MessageKind Kind;
    public MessageFlags Flags;
    public RpcClass Class;
    public Opcode Opcode;
    /// <summary>An Errno in replies, 0 in requests.</summary>
    public ushort Status;
    public ushort Source;
    public ushort Destination;
    /// <summary>The requester's name for the request: sequence number and slot (RequestId.cs).</summary>
    public ulong RequestId;
    /// <summary>Membership incarnation that the sender knows.</summary>
    public uint Epoch;
    /// <summary>Address space that the request is about, 0 for none.</summary>
    public uint Asid;
    /// <summary>Virtual node that the request belongs to.</summary>
    public ushort VNode;
    /// <summary>Number of this transmission of the request; replies repeat it, so that fragments of two replies never mix.</summary>
    public byte Attempt;
    public byte Reserved;
    /// <summary>Body of the whole message.</summary>
    public uint BodyBytes;
    /// <summary>Longest reply body that the requester has room for; longer ones become EMSGSIZE at the target.</summary>
    public uint ReplyCapacity;
    public ushort FragmentIndex;
    public ushort FragmentCount;
    /// <summary>The sender's present life.</summary>
    public uint SourceIncarnation;
    /// <summary>The life that the sender believes it talks to; 0 in the greeting of a stranger.</summary>
    public uint TargetIncarnation;
    /// <summary>
    /// How many sequence numbers the oldest request whose reply the requester lacks lies before this one: it has the replies of all earlier
    /// ones.
    /// </summary>
    public uint OldestOpen;
    /// <summary>
    /// CRC32C (RFC 3720) of this header with the field zero and of the body's digest (BodyDigest.cs); unchecked where nothing corrupts.
    /// </summary>
    public uint Checksum;

    /// <summary>Where this frame's part of the body belongs.</summary>
    public readonly uint FragmentOffset => FragmentUnit(BodyBytes, FragmentCount) * FragmentIndex;

    /// <summary>Both incarnations as they lie side by side: the sender's in the low half.</summary>
    internal ulong Incarnations
    {
        readonly get => Unsafe.ReadUnaligned<ulong>(ref Unsafe.As<uint, byte>(ref Unsafe.AsRef(in SourceIncarnation)));
        set => Unsafe.WriteUnaligned(ref Unsafe.As<uint, byte>(ref SourceIncarnation), value);
    }

    /// <summary>Body bytes of every fragment but the last: equal shares, rounded up so that each begins 8-aligned.</summary>
    public static uint FragmentUnit(uint bodyBytes, uint fragmentCount) =>
        fragmentCount <= 1 ? bodyBytes : (((bodyBytes + fragmentCount - 1) / fragmentCount) + 7) & ~7u;
}
