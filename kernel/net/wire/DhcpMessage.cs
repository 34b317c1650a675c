// DHCP messages (RFC 2131, 2) and their options (RFC 2132): a BOOTP header, a magic cookie, options. Option 52, which lets options
// spill into the server's name and the file's name, is followed (RFC 3396 concatenation is not: no option that the client reads is longer
// than one piece).

using System;
using System.Buffers.Binary;

namespace Lego.Kernel;

/// <summary>A view of a server's message, and the writer of a client's.</summary>
public readonly ref struct DhcpMessage
{
    public const ushort ServerPort = 67;
    public const ushort ClientPort = 68;

    /// <summary>What every client's message has at least (RFC 1542, 2.1: 300 bytes with BOOTP).</summary>
    public const int MinimumBytes = 300;

    /// <summary>Header and cookie; options begin here.</summary>
    public const int OptionsOffset = CookieOffset + sizeof(uint);

    private const byte BootRequest = 1;
    private const byte BootReply = 2;
    private const byte EthernetHardware = 1;
    private const uint Cookie = 0x63825363;
    private const int TransactionOffset = 4;
    private const int SecondsOffset = 8;
    private const int ClientAddressOffset = 12;
    private const int YourAddressOffset = 16;
    private const int HardwareAddressOffset = 28;
    private const int ServerNameOffset = 44;
    private const int ServerNameBytes = 64;
    private const int FileNameOffset = 108;
    private const int FileNameBytes = 128;
    private const int CookieOffset = 236;
    private const byte FileNameHasOptions = 1;
    private const byte ServerNameHasOptions = 2;

    private readonly ReadOnlySpan<byte> _message;

    private DhcpMessage(ReadOnlySpan<byte> message)
    {
        _message = message;
    }

    public uint Transaction => BinaryPrimitives.ReadUInt32BigEndian(_message.Slice(TransactionOffset));

    /// <summary>The address that the server gives (yiaddr).</summary>
    public uint YourAddress => BinaryPrimitives.ReadUInt32BigEndian(_message.Slice(YourAddressOffset));

    public ulong HardwareAddress => MacAddress.Read(_message.Slice(HardwareAddressOffset));

    /// <summary>False unless it is a server's message for Ethernet, with a cookie.</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, out DhcpMessage parsed)
    {
        parsed = new DhcpMessage(message);
        return message.Length >= OptionsOffset
            && message[0] == BootReply && message[1] == EthernetHardware && message[2] == MacAddress.SizeBytes
            && BinaryPrimitives.ReadUInt32BigEndian(message.Slice(CookieOffset)) == Cookie;
    }

    /// <summary>Finds an option wherever it stands. False when there is none, or it is cut off.</summary>
    public bool TryFind(byte code, out ReadOnlySpan<byte> value)
    {
        if (TryFindIn(_message.Slice(OptionsOffset), code, out value))
        {
            return true;
        }

        if (!TryFindIn(_message.Slice(OptionsOffset), DhcpOption.Overload, out ReadOnlySpan<byte> overload) || overload.Length != 1)
        {
            return false;
        }

        return ((overload[0] & FileNameHasOptions) != 0 && TryFindIn(_message.Slice(FileNameOffset, FileNameBytes), code, out value))
            || ((overload[0] & ServerNameHasOptions) != 0 && TryFindIn(_message.Slice(ServerNameOffset, ServerNameBytes), code, out value));
    }

    /// <summary>The first four bytes of an option.</summary>
    public bool TryFindUInt32(byte code, out uint value)
    {
        bool found = TryFind(code, out ReadOnlySpan<byte> bytes) && bytes.Length >= sizeof(uint);
        value = found ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : 0;
        return found;
    }

    /// <summary>Clears the span and writes header and cookie.</summary>
    public static void WriteRequest(Span<byte> to, uint transaction, ushort seconds, uint clientAddress, ulong hardwareAddress)
    {
        to.Clear();
        to[0] = BootRequest;
        to[1] = EthernetHardware;
        to[2] = MacAddress.SizeBytes;
        BinaryPrimitives.WriteUInt32BigEndian(to.Slice(TransactionOffset), transaction);
        BinaryPrimitives.WriteUInt16BigEndian(to.Slice(SecondsOffset), seconds);
        BinaryPrimitives.WriteUInt32BigEndian(to.Slice(ClientAddressOffset), clientAddress);
        MacAddress.Write(to.Slice(HardwareAddressOffset), hardwareAddress);
        BinaryPrimitives.WriteUInt32BigEndian(to.Slice(CookieOffset), Cookie);
    }

    private static bool TryFindIn(ReadOnlySpan<byte> options, byte code, out ReadOnlySpan<byte> value)
    {
        value = default;
        int at = 0;
        while (at < options.Length && options[at] != DhcpOption.End)
        {
            if (options[at] == DhcpOption.Pad)
            {
                at++;
                continue;
            }

            if (at + 1 >= options.Length || at + 2 + options[at + 1] > options.Length)
            {
                return false;
            }

            if (options[at] == code)
            {
                value = options.Slice(at + 2, options[at + 1]);
                return true;
            }

            at += 2 + options[at + 1];
        }

        return false;
    }
}

/// <summary>Option codes (RFC 2132).</summary>
public static class DhcpOption
{
    public const byte Pad = 0;
    public const byte SubnetMask = 1;
    public const byte Router = 3;
    public const byte DomainNameServer = 6;
    public const byte HostName = 12;
    public const byte DomainName = 15;
    public const byte InterfaceMtu = 26;
    public const byte RequestedAddress = 50;
    public const byte LeaseTime = 51;
    public const byte Overload = 52;
    public const byte MessageType = 53;
    public const byte ServerIdentifier = 54;
    public const byte ParameterRequestList = 55;
    public const byte RenewalTime = 58;
    public const byte RebindingTime = 59;
    public const byte ClientIdentifier = 61;
    public const byte End = 255;
}

/// <summary>Values of option 53.</summary>
public static class DhcpMessageType
{
    public const byte Discover = 1;
    public const byte Offer = 2;
    public const byte Request = 3;
    public const byte Decline = 4;
    public const byte Acknowledge = 5;
    public const byte NegativeAcknowledge = 6;
    public const byte Release = 7;
}
