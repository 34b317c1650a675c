// ioctl requests about interfaces (netdevice(7)): SIOCGIF... of struct ifreq, and SIOCGIFCONF. Changes are EPERM or ENOTTY: an interface is
// as the rack tool and DHCP made it. BLOCKS in copies.

using System;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Answers questions about interfaces.</summary>
public static unsafe class InterfaceRequests
{
    private const int NameBytes = 16;
    private const int RequestBytes = 40;
    private const int MostInterfaces = 16;

    private const uint GetName = 0x8910;
    private const uint GetConfiguration = 0x8912;
    private const uint GetFlags = 0x8913;
    private const uint GetAddress = 0x8915;
    private const uint GetPeerAddress = 0x8917;
    private const uint GetBroadcast = 0x8919;
    private const uint GetMask = 0x891B;
    private const uint GetMetric = 0x891D;
    private const uint GetMtu = 0x8921;
    private const uint GetHardwareAddress = 0x8927;
    private const uint GetIndex = 0x8933;
    private const uint GetQueueLength = 0x8942;

    /// <summary>struct ifconf.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Configuration
    {
        internal int Length;
        internal ulong Address;
    }

    /// <summary>The interface with a name; -1: there is none.</summary>
    public static int Find(NetworkStack stack, ReadOnlySpan<byte> name)
    {
        Span<byte> other = stackalloc byte[NameBytes];
        for (int index = InterfaceTable.LoopbackIndex; index <= stack.Interfaces.LastIndex; index++)
        {
            int length = stack.Interfaces[index].WriteName(other);
            if (name.SequenceEqual(other.Slice(0, length)))
            {
                return index;
            }
        }

        return -1;
    }

    /// <summary>IFF_ flags: up, broadcast, loopback, running, multicast, lower layer up.</summary>
    public static uint FlagsOf(in NetworkInterface link)
    {
        const uint Loopback = 0x8;
        const uint BroadcastAndMulticast = 0x1002;
        uint flags = link.Kind == InterfaceKind.Loopback ? Loopback : BroadcastAndMulticast;
        flags |= link.IsUp ? 1u : 0;
        return flags | (link.IsUp && link.HasCarrier ? 0x10040u : 0);
    }

    /// <summary>Six bytes of hardware address.</summary>
    public static void WriteHardwareAddress(in NetworkInterface link, Span<byte> to)
    {
        const int Bytes = 6;
        for (int index = 0; index < Bytes; index++)
        {
            to[index] = (byte)(link.HardwareAddress >> (8 * (Bytes - 1 - index)));
        }
    }

    /// <summary>Answers a request; ENOTTY: it is none of these, or one about IPv4 to a family that does not know that.</summary>
    public static long Answer(Process* process, NetworkStack stack, uint request, ulong argument, bool hasAddresses)
    {
        if (request == GetConfiguration)
        {
            return CallResult.Of(List(process, stack, argument));
        }

        bool isOfAddress = request is GetAddress or GetPeerAddress or GetBroadcast or GetMask;
        bool isOfLink = request is GetName or GetFlags or GetMetric or GetMtu or GetHardwareAddress or GetIndex or GetQueueLength;
        if (!isOfLink && !(isOfAddress && hasAddresses))
        {
            return CallResult.Fail(Errno.ENOTTY);
        }

        Span<byte> bytes = stackalloc byte[RequestBytes];
        Errno error = UserMemory.CopyIn(process, argument, bytes);
        if (error != Errno.None)
        {
            return CallResult.Fail(error);
        }

        int end = bytes.Slice(0, NameBytes).IndexOf((byte)0);
        int found = request == GetName
            ? MemoryMarshal.Read<int>(bytes.Slice(NameBytes))
            : Find(stack, bytes.Slice(0, end < 0 ? NameBytes - 1 : end));
        if (!stack.Interfaces.Exists(found))
        {
            return CallResult.Fail(Errno.ENODEV);
        }

        error = Fill(stack, request, found, bytes);
        return CallResult.Of(error == Errno.None ? UserMemory.CopyOut(process, argument, bytes) : error);
    }

    private static Errno Fill(NetworkStack stack, uint request, int index, Span<byte> bytes)
    {
        ref NetworkInterface link = ref stack.Interfaces[index];
        Span<byte> value = bytes.Slice(NameBytes);
        switch (request)
        {
            case GetName:
                bytes.Slice(0, NameBytes).Clear();
                link.WriteName(bytes.Slice(0, NameBytes));
                return Errno.None;
            case GetFlags:
                BinaryPrimitives.WriteUInt16LittleEndian(value, (ushort)FlagsOf(in link));
                return Errno.None;
            case GetMtu:
                BinaryPrimitives.WriteInt32LittleEndian(value, link.MtuBytes);
                return Errno.None;
            case GetIndex:
                BinaryPrimitives.WriteInt32LittleEndian(value, index);
                return Errno.None;
            case GetMetric:
                BinaryPrimitives.WriteInt32LittleEndian(value, 0);
                return Errno.None;
            case GetQueueLength:
                const int QueueLength = 1000;
                BinaryPrimitives.WriteInt32LittleEndian(value, QueueLength);
                return Errno.None;
            case GetHardwareAddress:
                value.Slice(0, NameBytes).Clear();
                BinaryPrimitives.WriteUInt16LittleEndian(value, link.HardwareType);
                WriteHardwareAddress(in link, value.Slice(SocketName.FamilyBytes));
                return Errno.None;
            default:
                return FillAddress(stack, request, index, value);
        }
    }

    /// <summary>The first IPv4 address of an interface, or what belongs to it. EADDRNOTAVAIL: it has none.</summary>
    private static Errno FillAddress(NetworkStack stack, uint request, int index, Span<byte> value)
    {
        for (int position = 0; position < stack.Addresses.Capacity; position++)
        {
            ref InterfaceAddress address = ref stack.Addresses[position];
            if (address.InterfaceIndex != index || !address.IsAssigned || !address.Address.IsV4)
            {
                continue;
            }

            const int WordBits = 32;
            IpAddress told = request switch
            {
                GetMask => IpAddress.FromV4(address.PrefixLength == 0 ? 0 : uint.MaxValue << (WordBits - address.PrefixLength)),
                GetBroadcast => index == InterfaceTable.LoopbackIndex ? IpAddress.AnyV4 : address.Broadcast,
                _ => address.Address,
            };
            SocketName name = InternetName.Write(new SocketAddress(told, 0), AddressFamily.Internet);
            name.Bytes.CopyTo(value);
            return Errno.None;
        }

        return Errno.EADDRNOTAVAIL;
    }

    private static Errno List(Process* process, NetworkStack stack, ulong argument)
    {
        Errno error = new UserPointer<Configuration>(argument).Read(process, out Configuration wanted);
        Span<byte> bytes = stackalloc byte[RequestBytes * MostInterfaces];
        bytes.Clear();
        int length = 0;
        for (int index = InterfaceTable.LoopbackIndex; index <= stack.Interfaces.LastIndex && length < bytes.Length; index++)
        {
            Span<byte> entry = bytes.Slice(length, RequestBytes);
            if (FillAddress(stack, GetAddress, index, entry.Slice(NameBytes)) == Errno.None)
            {
                stack.Interfaces[index].WriteName(entry.Slice(0, NameBytes));
                length += RequestBytes;
            }
        }

        if (error == Errno.None && wanted.Address != 0)
        {
            length = Math.Min(length, Math.Max(wanted.Length, 0) / RequestBytes * RequestBytes);
            error = UserMemory.CopyOut(process, wanted.Address, bytes.Slice(0, length));
        }

        wanted.Length = length;
        return error == Errno.None ? new UserPointer<Configuration>(argument).Write(process, in wanted) : error;
    }
}
