// Options of sockets as programs set and get them (getsockopt(2)).

using System;
using System.Text;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class SocketOptionTests : IDisposable
{
    private const int CongestionName = 13;

    private readonly FileSystemFixture _machine = new();
    private readonly Process* _process;

    public SocketOptionTests()
    {
        _process = _machine.Files.Processes.Create();
    }

    public void Dispose()
    {
        Scheduler.ForgetSpawned();
        _machine.Dispose();
    }

    private Socket* Make(int domain, SocketType type, int protocol)
    {
        Assert.Equal(
            Errno.None, _machine.Files.InternetSockets.Create(_process, domain, type, protocol, out Socket* socket));
        return socket;
    }

    private Errno Set(Socket* socket, int level, int option, int value)
    {
        ReadOnlySpan<byte> bytes = BitConverter.GetBytes(value);
        return level == OptionLevel.Socket
            ? SocketOptions.Set(_process, socket, (SocketOption)option, bytes)
            : socket->Family.SetOption(_process, socket, level, option, bytes);
    }

    private int Get(Socket* socket, int level, int option)
    {
        byte[] bytes = new byte[sizeof(int)];
        Errno error = level == OptionLevel.Socket
            ? SocketOptions.Get(_process, socket, (SocketOption)option, bytes, out _)
            : socket->Family.GetOption(_process, socket, level, option, bytes, out _);
        Assert.Equal(Errno.None, error);
        return BitConverter.ToInt32(bytes);
    }

    [Theory]
    [InlineData(AddressFamily.Internet, OptionLevel.Socket, (int)SocketOption.SendBufferForce, (int)SocketOption.SendBuffer, 50_000,
        Errno.EPERM)]
    [InlineData(AddressFamily.Internet, OptionLevel.Socket, (int)SocketOption.ReceiveBufferForce, (int)SocketOption.ReceiveBuffer, 50_000,
        Errno.EPERM)]
    [InlineData(AddressFamily.Internet, OptionLevel.Socket, (int)SocketOption.Priority, (int)SocketOption.Priority, 7, Errno.EPERM)]
    [InlineData(AddressFamily.Internet, OptionLevel.Socket, (int)SocketOption.Mark, (int)SocketOption.Mark, 1, Errno.EPERM)]
    [InlineData(AddressFamily.Internet, OptionLevel.Internet, 3, 3, 1, Errno.ENOPROTOOPT)]
    [InlineData(AddressFamily.Internet6, OptionLevel.Internet6, 67, 67, 257, Errno.EINVAL)]
    public void An_option_that_is_refused_stays_as_it_was(int domain, int level, int set, int told, int value, Errno error)
    {
        Socket* socket = Make(domain, SocketType.Datagram, 0);
        _process->EffectiveUserId = 1000;
        int before = Get(socket, level, told);
        Assert.Equal(error, Set(socket, level, set, value));
        Assert.Equal(before, Get(socket, level, told));
    }

    [Fact]
    public void A_refused_loop_interface_or_checksum_of_IPv6_stays_as_it_was()
    {
        const int MulticastLoop = 19;
        const int MulticastInterface = 17;
        const int Checksum = 7;
        const int Experimental = 253;
        Socket* socket = Make(AddressFamily.Internet6, SocketType.Raw, Experimental);
        int before = socket->Datagram->ChecksumOffset;
        Assert.Equal(Errno.None, Set(socket, OptionLevel.Internet6, MulticastLoop, 0));
        Assert.Equal(Errno.EINVAL, Set(socket, OptionLevel.Internet6, MulticastLoop, 2));
        Assert.Equal(0, Get(socket, OptionLevel.Internet6, MulticastLoop));
        Assert.Equal(Errno.ENODEV, Set(socket, OptionLevel.Internet6, MulticastInterface, 99));
        Assert.Equal(Errno.EINVAL, Set(socket, OptionLevel.Internet6, Checksum, 3));
        Assert.Equal((0, before), (socket->Datagram->MulticastInterface, socket->Datagram->ChecksumOffset));
    }

    [Theory]
    [InlineData("reno")]
    [InlineData("cubic")]
    public void The_congestion_control_that_was_chosen_is_told(string name)
    {
        Socket* socket = Make(AddressFamily.Internet, SocketType.Stream, 0);
        byte[] told = new byte[16];
        Assert.Equal(
            Errno.None, socket->Family.SetOption(_process, socket, OptionLevel.Tcp, CongestionName, Encoding.ASCII.GetBytes(name)));
        Assert.Equal(Errno.None, socket->Family.GetOption(_process, socket, OptionLevel.Tcp, CongestionName, told, out _));
        Assert.Equal(name, Encoding.ASCII.GetString(told).TrimEnd('\0'));
    }

    [Fact]
    public void A_stream_that_cannot_be_made_anew_keeps_its_connection()
    {
        Socket* socket = Make(AddressFamily.Internet, SocketType.Stream, 0);
        TcpConnection* before = socket->Tcp;
        while (_machine.Files.Network.Stack.Tcp.Create(IpAddress.AnyV4) != null)
        {
        }

        SocketName nowhere = new() { Length = SocketName.FamilyBytes };
        Assert.Equal(Errno.ENOBUFS, socket->Family.Connect(_process, socket, in nowhere, isNonBlocking: true));
        Assert.Equal((nint)before, (nint)socket->Tcp);
    }
}
