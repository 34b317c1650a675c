// The three forms in which this component fills in a header: a request, an answer to one, and a frame that is neither. The fields that
// depend on the body and its fragments are MessageSender's. In one place, so that a field that is forgotten is forgotten nowhere else.

using System.Numerics;
using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Fills in headers.</summary>
internal static unsafe class MessageForms
{
    /// <summary>A call on its way to a peer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Request(MessageHeader* header, ushort node, Peer peer, PendingCall* call, MessageFlags flags, uint epoch)
    {
        header->Magic = MessageHeader.MagicValue;
        header->Version = MessageHeader.CurrentVersion;
        header->Kind = MessageKind.Request;
        header->Flags = flags;
        header->Class = call->Class;
        header->Opcode = call->Opcode;
        header->Status = 0;
        header->Source = node;
        header->Destination = peer.Node;
        header->RequestId = call->Id;
        header->Epoch = epoch;
        header->Asid = call->Asid;
        header->VNode = call->VNode;
        header->Attempt = call->Attempt;
        header->Reserved = 0;
        header->Incarnations = peer.Identity.Outward;
        header->OldestOpen = (uint)(RequestId.SequenceOf(call->Id) - peer.OldestOpen);
        header->ReplyCapacity = (uint)call->ReplyCapacity;
    }

    /// <summary>A reply to a request or a notice about it. It goes from the life that was asked to the life that asked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Answer(MessageHeader* answer, MessageHeader* request, MessageKind kind, Errno status, uint epoch)
    {
        answer->Magic = MessageHeader.MagicValue;
        answer->Version = MessageHeader.CurrentVersion;
        answer->Kind = kind;
        answer->Flags = MessageFlags.None;
        answer->Class = request->Class;
        answer->Opcode = request->Opcode;
        answer->Status = (ushort)status;
        answer->Source = request->Destination;
        answer->Destination = request->Source;
        answer->RequestId = request->RequestId;
        answer->Epoch = epoch;
        answer->Asid = request->Asid;
        answer->VNode = request->VNode;
        answer->Attempt = request->Attempt;
        answer->Reserved = 0;
        answer->Incarnations = BitOperations.RotateLeft(request->Incarnations, 32);
        answer->OldestOpen = 0;
        answer->ReplyCapacity = 0;
        answer->Checksum = 0;
    }

    /// <summary>A frame that belongs to no request.</summary>
    internal static MessageHeader Bare(ushort node, Peer peer, MessageKind kind, uint epoch)
    {
        MessageHeader header = default;
        header.Magic = MessageHeader.MagicValue;
        header.Version = MessageHeader.CurrentVersion;
        header.Kind = kind;
        header.Opcode = Opcode.Echo;
        header.Source = node;
        header.Destination = peer.Node;
        header.Epoch = epoch;
        header.Incarnations = peer.Identity.Outward;
        return header;
    }
}
