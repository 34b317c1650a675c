// The rack's networks from outside: messages over each kind of card, ports of programs on this host. Traffic stays on this host's loopback.

using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class NetworkTests
{
    private const int UsageStatus = 2;
    private const int HostStatus = 69;

    [Theory]
    [InlineData("virtio")]
    [InlineData("e1000")]
    public async Task Messages_cross_an_ethernet_link_of_either_card_and_are_recorded(string card)
    {
        string capture = Path.GetTempFileName();
        try
        {
            ProgramResult host = await Rack.HostAsync("/", ["sha256sum", "/bin/busybox"]);
            ProgramResult rack = await Rack.RunAsync(
                ["--link", "ethernet", "--fabric-nic", card, "--fabric-pcap", capture], ["sha256sum", "/bin/busybox"]);
            Assert.True(rack.Status == 0 && rack.Output == host.Output, rack.ToString());
            Assert.True(new FileInfo(capture).Length > new FileInfo("/bin/busybox").Length,
                "the pages that crossed the wire are not in its record");
        }
        finally
        {
            File.Delete(capture);
        }
    }

    [Fact]
    public async Task A_port_that_is_taken_cannot_be_published()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        int port = HostPorts.Of(listener);
        ProgramResult rack = await Rack.RunAsync(["--publish", $"{port}:80"], ["true"]);
        Assert.Equal(HostStatus, rack.Status);
        Assert.Contains($"tcp port {port} of 127.0.0.1 is taken", rack.Error);
        rack = await Rack.RunAsync(["--publish", $"{port}:80", "--network", "none"], ["true"]);
        Assert.Equal(UsageStatus, rack.Status);
    }

    [Fact]
    public async Task A_port_is_published_while_the_rack_is_up_and_once()
    {
        int port = HostPorts.Free();
        CommandResult up = await LegoTool.RunAsync("up");
        Assert.True(up.Status == 0, up.ToString());
        try
        {
            CommandResult first = await LegoTool.RunAsync("publish", $"{port}:80");
            Assert.True(first.Status == 0, first.ToString());
            using TcpClient client = new();
            await client.ConnectAsync(IPAddress.Loopback, port);
            CommandResult second = await LegoTool.RunAsync("publish", $"{port}:81");
            Assert.True(second.Status == HostStatus && second.ErrorText.Contains("is taken", StringComparison.Ordinal), second.ToString());
        }
        finally
        {
            await LegoTool.RunAsync("down");
        }
    }
}
