// The longest packets that the ways to destinations carry, as routers have reported them (RFC 1191, RFC 8201). One entry for each slot
// of a keyed hash: a newer destination takes an older one's place, so strangers' reports cannot fill memory. After ten minutes a path is
// tried again (RFC 1191, 6.3).

namespace Lego.Kernel;

/// <summary>The cache.</summary>
public sealed class PathMtuCache
{
    /// <summary>Nobody's report makes packets shorter (Linux's min_pmtu; RFC 8200, 5).</summary>
    private const int SmallestIpv4 = 552;

    private const int Slots = 256;
    private const ulong LifetimeNs = 600 * NetworkClock.NsPerSecond;

    private readonly NetworkClock _clock;
    private readonly NetworkRandom _random;
    private readonly Entry[] _entries = new Entry[Slots];
    /// <summary>Nobody has reported anything, as on most nodes: then no packet pays for the look-up.</summary>
    private bool _isEmpty = true;

    private struct Entry
    {
        internal IpAddress Destination;
        internal int MtuBytes;
        internal ulong ExpiresNs;
    }

    public PathMtuCache(NetworkClock clock, NetworkRandom random)
    {
        _clock = clock;
        _random = random;
    }

    /// <summary>The path's MTU, at most that of the first link.</summary>
    public int For(IpAddress destination, int linkMtuBytes)
    {
        if (_isEmpty)
        {
            return linkMtuBytes;
        }

        ref Entry entry = ref _entries[SlotOf(destination)];
        return entry.ExpiresNs > _clock.NowNs && entry.MtuBytes < linkMtuBytes && entry.Destination.Equals(destination)
            ? entry.MtuBytes
            : linkMtuBytes;
    }

    /// <summary>
    /// A router has reported a packet that was too long for the next link. What is not shorter than what is known is no news: nobody
    /// can make us
    /// send longer packets (RFC 8201, 4).
    /// </summary>
    /// <param name="destination">Where the packet went.</param>
    /// <param name="mtuBytes">The next link's; 0 from routers older than RFC 1191.</param>
    /// <param name="packetBytes">Length of the packet, if the report says.</param>
    /// <param name="linkMtuBytes">Of the first link.</param>
    /// <returns>The path's MTU from now on.</returns>
    public int Report(IpAddress destination, int mtuBytes, int packetBytes, int linkMtuBytes)
    {
        int known = For(destination, linkMtuBytes);
        int reported = mtuBytes == 0 ? PlateauBelow(packetBytes) : mtuBytes;
        int smallest = destination.IsV4 ? SmallestIpv4 : Ipv6Header.MinimumMtu;
        reported = reported < smallest ? smallest : reported;
        if (reported >= known)
        {
            return known;
        }

        ref Entry entry = ref _entries[SlotOf(destination)];
        _isEmpty = false;
        entry.Destination = destination;
        entry.MtuBytes = reported;
        entry.ExpiresNs = _clock.NowNs + LifetimeNs;
        return reported;
    }

    /// <summary>The next MTU to try when the router does not say (RFC 1191, table 7-1).</summary>
    private static int PlateauBelow(int packetBytes) => packetBytes switch
    {
        > 32000 => 32000,
        > 17914 => 17914,
        > 8166 => 8166,
        > 4352 => 4352,
        > 2002 => 2002,
        > 1492 => 1492,
        > 1006 => 1006,
        _ => SmallestIpv4,
    };

    private int SlotOf(IpAddress destination) => (int)(_random.OffsetFor(destination.First, destination.Second) % Slots);
}
