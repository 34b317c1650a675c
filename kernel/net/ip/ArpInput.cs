// Received ARP packets (RFC 826): brings known neighbours up to date, answers questions about our addresses, and notes when somebody
// else claims one of them (RFC 5227, 2.4: it is kept, and defended by one announcement in ten seconds).

namespace Lego.Kernel;

/// <summary>Takes ARP packets.</summary>
public sealed class ArpInput
{
    private const ulong DefendIntervalNs = 10 * NetworkClock.NsPerSecond;

    private readonly NetworkClock _clock;
    private readonly InterfaceTable _interfaces;
    private readonly AddressTable _addresses;
    private readonly NeighbourTable _neighbours;
    private readonly NeighbourOutput _output;
    private ulong _defendedNs;

    public ArpInput(
        NetworkClock clock, InterfaceTable interfaces, AddressTable addresses, NeighbourTable neighbours, NeighbourOutput output)
    {
        _clock = clock;
        _interfaces = interfaces;
        _addresses = addresses;
        _neighbours = neighbours;
        _output = output;
    }

    /// <summary>Packets that claimed an address of ours.</summary>
    public ulong Conflicts { get; private set; }

    /// <summary>Takes a packet. False: it is no ARP for IPv4 over Ethernet, or its sender cannot be anybody.</summary>
    public bool TryReceive(int interfaceIndex, System.ReadOnlySpan<byte> bytes)
    {
        if (!ArpPacket.TryParse(bytes, out ArpPacket packet) || MacAddress.IsGroup(packet.SenderHardware)
            || packet.SenderHardware == 0)
        {
            return false;
        }

        IpAddress sender = IpAddress.FromV4(packet.SenderProtocol);
        IpAddress target = IpAddress.FromV4(packet.TargetProtocol);
        if (sender.IsMulticast || sender.IsLimitedBroadcast || sender.IsLoopback)
        {
            return false;
        }

        int own = _addresses.Find(sender, interfaceIndex);
        if (own >= 0)
        {
            Defend(interfaceIndex, sender, packet.SenderHardware);
            return true;
        }

        int asked = _addresses.Find(target, interfaceIndex);
        bool isForUs = asked >= 0 && _addresses[asked].IsAssigned;
        if (packet.Operation == ArpPacket.Reply)
        {
            if (!sender.IsUnspecified)
            {
                NeighbourAnswer answer = NeighbourAnswer.Override | (isForUs ? NeighbourAnswer.Solicited : NeighbourAnswer.None);
                _neighbours.Confirm(_output, interfaceIndex, sender, hasHardwareAddress: true, packet.SenderHardware, answer);
            }

            return true;
        }

        if (packet.Operation != ArpPacket.Request)
        {
            return false;
        }

        // RFC 826: whoever asks about us will be talked to; a probe (RFC 5227) has no address yet.
        if (!sender.IsUnspecified)
        {
            _neighbours.Learn(_output, interfaceIndex, sender, packet.SenderHardware, mayCreate: isForUs);
        }

        if (isForUs)
        {
            _output.SendArp(
                interfaceIndex, packet.SenderHardware, ArpPacket.Reply, target.V4, packet.SenderHardware, packet.SenderProtocol);
        }

        return true;
    }

    /// <summary>Tells all neighbours where an address lives now (RFC 5227, 3).</summary>
    public void Announce(int interfaceIndex, IpAddress address) =>
        _output.SendArp(interfaceIndex, MacAddress.Broadcast, ArpPacket.Request, address.V4, 0, address.V4);

    private void Defend(int interfaceIndex, IpAddress address, ulong hardwareAddress)
    {
        if (hardwareAddress == _interfaces[interfaceIndex].HardwareAddress)
        {
            return;
        }

        Conflicts++;
        if (_defendedNs == 0 || _clock.NowNs - _defendedNs >= DefendIntervalNs)
        {
            _defendedNs = _clock.NowNs;
            Announce(interfaceIndex, address);
        }
    }
}
