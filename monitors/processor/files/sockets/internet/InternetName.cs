// struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)), as programs give them and as the stack has them.

using System;
using System.Buffers.Binary;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Converts addresses.</summary>
public static class InternetName
{
    public const int BytesV4 = 16;
    public const int BytesV6 = 28;
    /// <summary>sockaddr_in6 without its scope, as RFC 2133 had it (SIN6_LEN_RFC2133).</summary>
    private const int LeastBytesV6 = 24;

    private const int PortOffset = 2;
    private const int V4Offset = 4;
    private const int V6Offset = 8;
    private const int ScopeOffset = 24;

    /// <summary>
    /// Reads an address for a socket of a domain. EINVAL: too short; EAFNOSUPPORT: of another family. A socket of AF_INET6 takes
    /// AF_INET's where <paramref name="allowsV4"/> says so.
    /// </summary>
    public static Errno Read(in SocketName name, int domain, bool allowsV4, out SocketAddress address)
    {
        address = default;
        ReadOnlySpan<byte> bytes = name.Bytes;
        int family = name.Family;
        if (domain == AddressFamily.Internet || (allowsV4 && family == AddressFamily.Internet))
        {
            if (bytes.Length < BytesV4)
            {
                return Errno.EINVAL;
            }

            address = new SocketAddress(IpAddress.FromV4(bytes.Slice(V4Offset, IpAddress.V4Bytes)), PortOf(bytes));
            return family == AddressFamily.Internet || (family == AddressFamily.Unspecified && address.Address.IsUnspecified)
                ? Errno.None : Errno.EAFNOSUPPORT;
        }

        if (bytes.Length < LeastBytesV6)
        {
            return Errno.EINVAL;
        }

        uint scope = bytes.Length < BytesV6 ? 0 : BinaryPrimitives.ReadUInt32LittleEndian(bytes.Slice(ScopeOffset));
        IpAddress ip = IpAddress.FromV6(bytes.Slice(V6Offset, IpAddress.V6Bytes));
        address = new SocketAddress(ip, PortOf(bytes), ip.IsLinkLocal || ip.IsMulticast ? scope : 0);
        return family == AddressFamily.Internet6 ? Errno.None : Errno.EAFNOSUPPORT;
    }

    /// <summary>An address as a socket of a domain shows it.</summary>
    public static SocketName Write(in SocketAddress address, int domain)
    {
        SocketName name = default;
        name.Length = domain == AddressFamily.Internet ? BytesV4 : BytesV6;
        name.Family = (ushort)domain;
        BinaryPrimitives.WriteUInt16BigEndian(name.Room.Slice(PortOffset), address.Port);
        if (domain == AddressFamily.Internet)
        {
            address.Address.WriteV4(name.Room.Slice(V4Offset));
        }
        else
        {
            address.Address.WriteV6(name.Room.Slice(V6Offset));
            BinaryPrimitives.WriteUInt32LittleEndian(name.Room.Slice(ScopeOffset), address.Address.IsV4 ? 0 : address.Scope);
        }

        return name;
    }

    private static ushort PortOf(ReadOnlySpan<byte> bytes) => BinaryPrimitives.ReadUInt16BigEndian(bytes.Slice(PortOffset));
}
