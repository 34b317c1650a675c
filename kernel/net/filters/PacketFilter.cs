// The filter of a socket (socket(7), SO_ATTACH_FILTER): a checked program that says of each packet how many of its bytes the socket gets.
// Whoever owns the socket owns the filter; endpoints and connections only refer to it.

using System;

namespace Lego.Kernel;

/// <summary>A filter.</summary>
public struct PacketFilter
{
    /// <summary>Sockets that have it: those that a listener accepts share its own.</summary>
    public uint References;
    public FilterCode Code;

    /// <summary>
    /// How many bytes from a view's beginning on a filter lets pass, not fewer than <paramref name="least"/> (sk_filter_trim_cap); 0: none,
    /// the packet is dropped.
    /// </summary>
    public int Passing(scoped in FilterView view, int least)
    {
        uint most = FilterMachine.Run(ref Code, in view);
        return most == 0 ? 0 : (int)Math.Min((ulong)Math.Max(view.Length, 0), Math.Max(most, (ulong)least));
    }
}
