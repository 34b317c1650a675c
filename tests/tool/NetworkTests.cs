// What the rack tool makes of the options and keys about networks.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Tool.Tests;

public class NetworkTests
{
    private static MachineResources Resources => new()
    {
        ImagePath = "/images/k.elf",
        SerialLogPath = "/racks/p0.log",
        MonitorPath = "/racks/p0.qmp",
        ControlDescriptor = 7,
        NetworkBackend = "dgram,local.type=unix,local.path=/rack/nic1",
    };

    private static string Line(NetworkDescription network, int component = 0)
    {
        RackDescription rack = RackDescription.Default with { Network = network };
        List<string> line = QemuCommandLine.Build(rack, rack.Components[component], Resources);
        return string.Join(' ', line);
    }

    [Fact]
    public void The_machine_that_runs_programs_has_a_second_card_and_knows_its_address()
    {
        string line = Line(new NetworkDescription());
        Assert.Contains(
            "-netdev user,id=programs -device virtio-net-pci,disable-legacy=on,addr=6,netdev=programs,mac=52:54:00:4c:01:01,romfile=",
            line);
        Assert.Contains(" address=10.0.2.15/24,10.0.2.2", line);
        Assert.DoesNotContain("52:54:00:4c:01", Line(new NetworkDescription(), 1));
    }

    [Fact]
    public void Without_a_network_there_is_no_second_card()
    {
        string line = Line(new NetworkDescription { Kind = NetworkKind.None });
        Assert.DoesNotContain("programs", line);
        Assert.DoesNotContain("address=", line);
    }

    [Fact]
    public void Both_cards_can_be_an_e1000()
    {
        string line = Line(new NetworkDescription { Card = CardModel.E1000, FabricCard = CardModel.E1000 });
        Assert.Contains("-device e1000,mitigation=off,addr=5,netdev=segment,mac=52:54:00:4c:00:01,romfile=", line);
        Assert.Contains("-device e1000,mitigation=off,addr=6,netdev=programs,mac=52:54:00:4c:01:01,romfile=", line);
        Assert.DoesNotContain("virtio-net", line);
    }

    [Fact]
    public void Each_wire_is_recorded_into_the_file_that_was_named_for_it()
    {
        NetworkDescription network = new() { CapturePath = "/tmp/a,b.pcap", FabricCapturePath = "/tmp/f.pcap" };
        string line = Line(network);
        Assert.Contains("-object filter-dump,id=programs-capture,netdev=programs,file=/tmp/a,,b.pcap", line);
        Assert.Contains("-object filter-dump,id=segment-capture,netdev=segment,file=/tmp/f.pcap", line);
        Assert.DoesNotContain("filter-dump", Line(network, 1));
    }

    [Fact]
    public void What_there_is_not_cannot_be_recorded()
    {
        RackDescription rack = RackDescription.Default with { Network = new() { Kind = NetworkKind.None, CapturePath = "/tmp/p" } };
        Assert.Contains("no frames of programs to record", Assert.Throws<ToolException>(rack.Check).Message);
        rack = RackDescription.Default with { Network = new() { FabricCapturePath = "/tmp/f" } };
        Assert.Contains("add --link ethernet", Assert.Throws<ToolException>(rack.Check).Message);
        (rack with { Link = LinkKind.Ethernet }).Check();
    }

    [Theory]
    [InlineData("8080:80", "tcp:127.0.0.1:8080-:80")]
    [InlineData("0.0.0.0:8080:80", "tcp:0.0.0.0:8080-:80")]
    [InlineData("5353:53/udp", "udp:127.0.0.1:5353-:53")]
    [InlineData("127.0.0.2:1:65535/tcp", "tcp:127.0.0.2:1-:65535")]
    public void A_published_port_is_a_rule_of_the_user_network(string text, string rule) =>
        Assert.Equal(rule, PublishedPort.Parse(text, "--publish").ToForwarding());

    [Theory]
    [InlineData("80")]
    [InlineData("0:80")]
    [InlineData("80:65536")]
    [InlineData("a:b:c:d")]
    [InlineData("::1:80:80")]
    [InlineData("localhost:80:80")]
    [InlineData("80:80/sctp")]
    [InlineData("80:80/udp/udp")]
    [InlineData("-80:80")]
    [InlineData("")]
    public void What_is_no_published_port_is_refused_with_a_sentence(string text) =>
        Assert.StartsWith("--publish: ", Assert.Throws<ToolException>(() => PublishedPort.Parse(text, "--publish")).Message);

    [Fact]
    public void A_port_that_is_taken_is_named()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        Assert.Equal(
            $"tcp port {port} of 127.0.0.1 is taken by another program of this host", PublishedPort.Parse($"{port}:80", "--publish")
            .WhyNotFree());
    }

    [Fact]
    public void A_rack_file_describes_the_networks()
    {
        const string Components = "components: [{kind: processor}, {kind: memory}, {kind: storage}, {kind: manager}]\n";
        RackDescription rack = RackFile.Parse(
            $"link: ethernet\nnic: e1000\nfabricNic: e1000\npublish: ['8080:80', '53:53/udp']\n{Components}", "r");
        Assert.Equal((NetworkKind.User, CardModel.E1000, CardModel.E1000), (rack.Network.Kind, rack.Network.Card, rack.Network.FabricCard));
        Assert.Equal(["127.0.0.1:8080:80", "127.0.0.1:53:53/udp"], rack.Network.Published.Select(port => port.ToString()));
        Assert.Equal(NetworkKind.None, RackFile.Parse($"network: none\n{Components}", "r").Network.Kind);
        Assert.Throws<ToolException>(() => RackFile.Parse($"network: none\npublish: ['8080:80']\n{Components}", "r"));
        Assert.Throws<ToolException>(() => RackFile.Parse($"network: bridge\n{Components}", "r"));
    }

    [Fact]
    public async Task A_burst_of_connections_waits_at_a_socket_that_was_to_hold_one()
    {
        const int clients = 50;
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start(backlog: 1);
        IPEndPoint address = (IPEndPoint)listener.LocalEndpoint;
        Assert.True(ListenBacklog.TryWiden(Environment.ProcessId, address));
        Assert.False(ListenBacklog.TryWiden(Environment.ProcessId, new IPEndPoint(IPAddress.Parse("127.0.0.2"), address.Port)));
        using DisposableSockets sockets = new(clients);
        // Nobody accepts: a connection beyond the backlog would not come about until its SYN is sent again, and then not either.
        await Task.WhenAll(sockets.All.Select(socket => socket.ConnectAsync(address))).WaitAsync(TimeSpan.FromMinutes(1));
        Assert.All(sockets.All, socket => Assert.True(socket.Connected));
    }

    private sealed class DisposableSockets(int count) : IDisposable
    {
        public List<Socket> All { get; } =
            [.. Enumerable.Range(0, count).Select(_ => new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp))];

        public void Dispose() => All.ForEach(socket => socket.Dispose());
    }
}
