// The family AF_PACKET (packet(7)): frames of interfaces as they are, for tcpdump(8) and DHCP clients. Root's alone. There are no shared
// rings.

using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>AF_PACKET.</summary>
public sealed unsafe class LinkSockets(FileSystem files, NetworkService network) : SocketFamily(files)
{
    /// <summary>struct sockaddr_ll without the rest of its address, and the whole of it.</summary>
    private const int LeastNameBytes = 12;
    private const int NameBytes = 20;
    private const int HardwareBytes = 6;

    private NetworkStack Stack => network.Stack;

    public override Errno Create(Process* process, int domain, SocketType type, int protocol, out Socket* socket)
    {
        socket = null;
        if (!Visibility.IsRootOfComponent(process))
        {
            return Errno.EPERM;
        }

        if (type is not (SocketType.Raw or SocketType.Datagram))
        {
            return Errno.ESOCKTNOSUPPORT;
        }

        Socket* made = Socket.Create(this, domain, type, protocol, process);
        if (made == null)
        {
            return Errno.ENOBUFS;
        }

        DatagramKind kind = type == SocketType.Raw ? DatagramKind.Frame : DatagramKind.CookedFrame;
        ushort etherType = BinaryPrimitives.ReverseEndianness((ushort)protocol);
        Errno error = Stack.Open(kind, isV6: false, 0, etherType, (nint)made, out made->Datagram);
        if (error != Errno.None)
        {
            Socket.Release(made);
            return error;
        }

        socket = made;
        return Errno.None;
    }

    public override Errno Bind(Process* process, Socket* socket, in SocketName name)
    {
        if (name.Length < NameBytes || name.Family != AddressFamily.Packet)
        {
            return Errno.EINVAL;
        }

        return Stack.Frames.Bind(socket->Datagram, IndexOf(in name), EtherTypeOf(in name));
    }

    public override Errno NameOf(Socket* socket, bool ofPeer, out SocketName name)
    {
        DatagramEndpoint* endpoint = socket->Datagram;
        name = NameOf(endpoint->InterfaceIndex, endpoint->EtherType, LinkPacketType.Host, 0);
        return ofPeer ? Errno.EOPNOTSUPP : Errno.None;
    }

    public override long Send(Process* process, Socket* socket, ref SocketMessage message)
    {
        DatagramSend send = DatagramSend.ToPeer;
        if (message.Name.Length != 0)
        {
            if (message.Name.Length < LeastNameBytes || message.Name.Family != AddressFamily.Packet)
            {
                return CallResult.Fail(Errno.EINVAL);
            }

            send.InterfaceIndex = IndexOf(in message.Name);
            send.EtherType = EtherTypeOf(in message.Name);
            for (int index = 0; index < HardwareBytes && LeastNameBytes + index < message.Name.Length; index++)
            {
                send.LinkAddress = (send.LinkAddress << 8) | message.Name.Bytes[LeastNameBytes + index];
            }
        }

        if (message.Data.RemainingBytes > ushort.MaxValue)
        {
            return CallResult.Fail(Errno.EMSGSIZE);
        }

        using GatheredBytes buffer = new(Files.Frames, (int)message.Data.RemainingBytes);
        Span<byte> bytes = buffer.Bytes;
        Errno error = buffer.IsNone ? Errno.ENOBUFS : message.Data.Take(bytes, out _);
        if (error == Errno.None)
        {
            network.Now();
            error = Stack.Send(socket->Datagram, in send, bytes, default);
            network.Settle();
        }

        return CallResult.Of(error, bytes.Length);
    }

    public override long Receive(Process* process, Socket* socket, ref SocketMessage message)
    {
        ulong deadline = Socket.DeadlineAfter(socket->ReceiveTimeoutNs);
        while (true)
        {
            Packet* packet = Stack.Endpoints.Take(socket->Datagram, fromErrors: false, message.Has(MessageFlags.Peek));
            if (packet != null)
            {
                message.Name = NameOf(packet->InterfaceIndex, packet->EtherType, packet->LinkType, packet->LinkAddress);
                Errno copied = PacketCopy.Give(packet, ref message, out int length);
                Stack.Endpoints.Release(packet);
                return CallResult.Of(copied, length);
            }

            Errno error = Socket.Wait(ref socket->ReceiversWait, message.IsNonBlocking, deadline);
            if (error != Errno.None)
            {
                return CallResult.Fail(error);
            }
        }
    }

    public override PollEvents Poll(Socket* socket)
    {
        PollEvents events = InternetSockets.EventsOf(socket->Datagram);
        socket->ToldEvents &= events;
        return events;
    }

    public override long Control(Process* process, Socket* socket, uint request, ulong argument)
    {
        const uint BytesUnsent = 0x5411;
        int number = request == TerminalRequests.BytesReadable ? DatagramEndpoints.LengthOfFirst(socket->Datagram) : 0;
        return request is BytesUnsent or TerminalRequests.BytesReadable
            ? CallResult.Of(new UserPointer<int>(argument).Write(process, in number)) : CallResult.Fail(Errno.ENOTTY);
    }

    /// <summary>Memberships (PACKET_ADD_MEMBERSHIP) change nothing: all that the card gives is seen.</summary>
    public override Errno SetOption(Process* process, Socket* socket, int level, int option, ReadOnlySpan<byte> value)
    {
        const int AddMembership = 1;
        const int DropMembership = 2;
        return level == OptionLevel.Packet && option is AddMembership or DropMembership ? Errno.None : Errno.ENOPROTOOPT;
    }

    public override void Resized(Socket* socket) => socket->Datagram->ReceiveBytes = socket->ReceiveLimitBytes;

    public override void Close(Socket* socket)
    {
        DatagramEndpoint* endpoint = socket->Datagram;
        socket->Datagram = null;
        if (endpoint != null)
        {
            Stack.Close(endpoint);
        }
    }

    private static int IndexOf(in SocketName name) => MemoryMarshal.Read<int>(name.Bytes.Slice(4));

    private static ushort EtherTypeOf(in SocketName name) => BinaryPrimitives.ReadUInt16BigEndian(name.Bytes.Slice(SocketName.FamilyBytes));

    private SocketName NameOf(int index, ushort etherType, LinkPacketType type, ulong hardwareAddress)
    {
        SocketName name = default;
        name.Length = NameBytes;
        name.Family = AddressFamily.Packet;
        Span<byte> bytes = name.Room;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.Slice(SocketName.FamilyBytes), etherType);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.Slice(4), index);
        ushort hardware = Stack.Interfaces.Exists(index) ? Stack.Interfaces[index].HardwareType : (ushort)0;
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.Slice(8), hardware);
        bytes[10] = (byte)type;
        bytes[11] = HardwareBytes;
        for (int position = 0; position < HardwareBytes; position++)
        {
            bytes[LeastNameBytes + position] = (byte)(hardwareAddress >> (8 * (HardwareBytes - 1 - position)));
        }

        return name;
    }
}
