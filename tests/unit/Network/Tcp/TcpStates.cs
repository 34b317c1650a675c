// How the tests of tables bring a connection into a state of RFC 9293: by segments and calls, with as much under way as a state allows.

using System;
using Lego.Kernel;

namespace Lego.Tests.Network;

internal static unsafe class TcpStates
{
    /// <summary>RCV.WND of every state.</summary>
    internal const long Window = 65535;

    private const int FlightBytes = 100;

    /// <summary>SND.NXT - SND.UNA.</summary>
    internal static long FlightOf(Begun state) => state switch
    {
        Begun.SynReceivedPassive or Begun.SynReceivedActive or Begun.SynSent => 1,
        Begun.Established or Begun.CloseWait => FlightBytes,
        Begun.FinWait1 or Begun.Closing or Begun.LastAck => FlightBytes + 1,
        _ => 0,
    };

    internal static TcpState Public(Begun state) => state switch
    {
        Begun.SynReceivedActive or Begun.SynReceivedPassive => TcpState.SynReceived,
        _ => Enum.Parse<TcpState>(state.ToString()),
    };

    internal static bool Exists(TcpFixture fixture, TcpConnection* connection)
    {
        for (TcpConnection* other = fixture.Tcp.Next(null); other != null; other = fixture.Tcp.Next(other))
        {
            if (other == connection)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Brings a connection into the state by segments and calls; null where there is none.</summary>
    internal static TcpConnection* Reach(TcpFixture fixture, Begun state)
    {
        switch (state)
        {
            case Begun.Closed:
                return null;
            case Begun.Listen:
                fixture.Listen();
                return null;
            case Begun.SynSent:
                return fixture.Connect();
            case Begun.SynReceivedPassive:
                fixture.Listen();
                fixture.Give("S", fixture.PeerNext, 0);
                return fixture.Tcp.Next(null);
            case Begun.SynReceivedActive:
                fixture.Connect();
                fixture.Give("S", fixture.PeerNext, 0);
                return fixture.Connection;
        }

        TcpConnection* connection = fixture.Establish();
        // Acknowledgments are not hurried any more: the table's answers come within the delay.
        fixture.Tcp.SetOption(connection, TcpOption.QuickAck, 0, fixture.Now);
        bool peerCloses = state is Begun.CloseWait or Begun.LastAck;
        if (peerCloses)
        {
            fixture.Give("FA", fixture.PeerNext, fixture.OursNext);
            Widen(connection);
        }

        if (state is not (Begun.FinWait2 or Begun.TimeWait))
        {
            fixture.Write(FlightBytes);
        }

        if (state is Begun.Established or Begun.CloseWait)
        {
            return connection;
        }

        fixture.Tcp.Shutdown(connection, TcpDirections.Write, fixture.Now);
        switch (state)
        {
            case Begun.FinWait2:
                fixture.Ack(connection->SndNxt);
                break;
            case Begun.Closing:
                fixture.Give("FA", fixture.PeerNext, fixture.OursNext);
                Widen(connection);
                break;
            case Begun.TimeWait:
                fixture.Give("FA", fixture.PeerNext, connection->SndNxt);
                Widen(connection);
                break;
        }

        return connection;
    }

    /// <summary>
    /// A FIN takes a number of the window, which is announced anew with the next segment only: the table's edges are counted from a full
    /// one.
    /// </summary>
    private static void Widen(TcpConnection* connection) => connection->RcvAdv = connection->RcvNxt + (uint)Window;
}
