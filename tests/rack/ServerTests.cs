// Programs of the rack and this host serve each other by TCP and UDP: each kind of card, a sound and a faulty wire. What crosses a sound
// one is recorded, and each frame of it is right.

using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class ServerTests : IDisposable
{
    private const int FileBytes = 4_000_000;
    private const int SmallBytes = 300_000;

    /// <summary>Beyond this a server or a connection is stuck.</summary>
    private static readonly TimeSpan s_limit = HostSpeed.Scale(TimeSpan.FromSeconds(60));
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);

    /// <summary>The largest segment on a wire of 1500 bytes.</summary>
    private const int SegmentBytes = 1460;

    private readonly string _folder = Directory.CreateTempSubdirectory("lego-server-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("virtio", "", FileBytes)]
    [InlineData("e1000", "", FileBytes)]
    [InlineData("virtio", "loss=1%,delay=1ms,reorder=2%,duplicate=1%,corrupt=0.1%", SmallBytes)]
    public async Task A_file_comes_from_this_host_and_is_served_to_it(string card, string faults, int bytes)
    {
        (string path, string digest) = MakeFile(bytes);
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task serving = ServeOnceAsync(listener, path);
        int port = HostPorts.Free();
        string capture = Path.Combine(_folder, "frames");
        string[] wire = faults.Length == 0 ? ["--pcap", capture] : ["--wire", faults, "--seed", "3"];
        using Process rack = await LegoTool.StartReadyAsync(["--nic", card, "--publish", $"{port}:80", .. wire],
            $"mkdir /www; wget -q -O /www/file http://10.0.2.2:{HostPorts.Of(listener)}/file; "
                + "sha256sum /www/file; exec httpd -f -p 80 -h /www");
        try
        {
            await serving.WaitAsync(s_limit);
            Assert.Equal($"{digest}  /www/file", await rack.StandardOutput.ReadLineAsync().WaitAsync(s_limit));
            using HttpClient client = new() { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = s_limit };
            Assert.Equal(HttpStatusCode.NotFound, await FirstAnswerAsync(client, "/none"));
            Assert.Equal(digest, Convert.ToHexStringLower(SHA256.HashData(await client.GetByteArrayAsync("/file"))));
        }
        finally
        {
            await EndAsync(rack);
        }

        if (faults.Length == 0)
        {
            Assert.True(Capture.AssertIsSound(capture).Segments > 2 * bytes / SegmentBytes);
        }
    }

    /// <summary>
    /// All of them connect and ask before any is answered; busybox's httpd has a backlog of nine. A frame that a card has lost, or a
    /// handshake that found no room, would take seconds to be mended, and QEMU's network never mends some.
    /// </summary>
    [Theory]
    [InlineData("virtio")]
    [InlineData("e1000")]
    public async Task A_hundred_clients_that_come_at_once_are_served(string card)
    {
        const int Clients = 100;
        const int Length = 3000;
        int port = HostPorts.Free();
        using Process rack = await LegoTool.StartReadyAsync(["--nic", card, "--publish", $"{port}:80"],
            $"mkdir /www; yes | head -c {Length} >/www/file; exec httpd -f -p 80 -h /www");
        try
        {
            using HttpClient client = new() { BaseAddress = new Uri($"http://127.0.0.1:{port}"), Timeout = s_limit };
            Assert.Equal(HttpStatusCode.NotFound, await FirstAnswerAsync(client, "/none"));
            string expected = string.Concat(Enumerable.Repeat("y\n", Length / 2));
            string[] answers = await Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => client.GetStringAsync("/file")));
            Assert.All(answers, answer => Assert.Equal(expected, answer));
        }
        finally
        {
            await EndAsync(rack);
        }
    }

    [Fact]
    public async Task A_connection_to_a_port_where_nobody_listens_ends()
    {
        int port = HostPorts.Free();
        using Process rack = await LegoTool.StartReadyAsync(["--publish", $"{port}:81"], "exec sleep 600");
        try
        {
            using TcpClient client = new();
            await client.ConnectAsync(IPAddress.Loopback, port);
            // QEMU accepts before it asks the rack, so that a refusal is an end, by FIN or by RST.
            Task<int> reading = client.GetStream().ReadAsync(new byte[1]).AsTask();
            Exception? end = await Record.ExceptionAsync(() => reading.WaitAsync(s_limit));
            Assert.True(end is IOException || (end is null && await reading == 0), $"{end}");
        }
        finally
        {
            await EndAsync(rack);
        }
    }

    [Fact]
    public async Task Each_counter_of_the_network_has_its_name_and_counts()
    {
        // Lines of names and of numbers take turns; a connection to a port that nobody has is answered by one reset.
        const string Program = """
            nc 127.0.0.1 9 </dev/null 2>/dev/null; cat /proc/net/snmp /proc/net/netstat | awk '
            NR % 2 { for (i = 2; i <= NF; i++) name[i] = $i; fields = NF; next }
            { print $1, fields == NF; for (i = 2; i <= NF; i++) if (name[i] == "OutRsts") print name[i], $i }'
            """;
        ProgramResult rack = await Rack.RunAsync([], ["sh", "-c", Program]);
        Assert.Equal("Ip: 1\nIcmp: 1\nTcp: 1\nOutRsts 1\nUdp: 1\nTcpExt: 1\nIpExt: 1\n", rack.Output);
    }

    /// <summary>Capital ones (Linux: net/ipv4/tcp_ipv4.c, net/ipv4/fib_trie.c).</summary>
    [Fact]
    public async Task Tables_of_sockets_and_routes_have_the_digits_that_Linux_writes()
    {
        const string Program = """
            nc -l -p 43981 & until cat /proc/net/tcp /proc/net/tcp6 | grep -q ':ABCD .*:0000 0A '; do sleep 0.1; done
            kill $!; awk '$1 == "eth0" { print $2, $3, $8 }' /proc/net/route | sort
            """;
        ProgramResult rack = await Rack.RunAsync([], ["sh", "-c", Program]);
        Assert.Equal("00000000 0202000A 00000000\n0002000A 00000000 00FFFFFF\n", rack.Output);
    }

    [Fact]
    public async Task Datagrams_are_echoed_through_a_published_port()
    {
        int[] lengths = [0, 1, 1472];
        int port = HostPorts.Free();
        string capture = Path.Combine(_folder, "frames");
        string[] add = await LinuxPrograms.AddAsync("udp-echo");
        using Process rack = await LegoTool.StartReadyAsync(["--publish", $"{port}:7/udp", "--pcap", capture, .. add], "exec /udp-echo 7");
        try
        {
            Assert.Equal("bound", await rack.StandardOutput.ReadLineAsync().WaitAsync(s_limit));
            using UdpClient client = new();
            client.Connect(IPAddress.Loopback, port);
            foreach (int length in lengths)
            {
                byte[] sent = new byte[length];
                new Random(length).NextBytes(sent);
                await client.SendAsync(sent);
                Assert.Equal(sent, (await client.ReceiveAsync().WaitAsync(s_limit)).Buffer);
            }
        }
        finally
        {
            await EndAsync(rack);
        }

        Assert.Equal(2 * lengths.Length, Capture.AssertIsSound(capture).Datagrams);
    }

    private (string Path, string Digest) MakeFile(int bytes)
    {
        byte[] content = new byte[bytes];
        new Random(bytes).NextBytes(content);
        string path = Path.Combine(_folder, "file");
        File.WriteAllBytes(path, content);
        return (path, Convert.ToHexStringLower(SHA256.HashData(content)));
    }

    /// <summary>The status of the first answer: until the server listens, connections through the published port end without one.</summary>
    private static async Task<HttpStatusCode> FirstAnswerAsync(HttpClient client, string path)
    {
        using CancellationTokenSource limit = new(s_limit);
        while (true)
        {
            try
            {
                using HttpResponseMessage answer = await client.GetAsync(path, limit.Token);
                return answer.StatusCode;
            }
            catch (HttpRequestException)
            {
                await Task.Delay(s_pause, limit.Token);
            }
        }
    }

    private static async Task ServeOnceAsync(TcpListener listener, string path)
    {
        using TcpClient client = await listener.AcceptTcpClientAsync();
        NetworkStream stream = client.GetStream();
        using StreamReader reader = new(stream, Encoding.ASCII, leaveOpen: true);
        while (await reader.ReadLineAsync() is { Length: > 0 })
        {
        }

        byte[] content = await File.ReadAllBytesAsync(path);
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.0 200 OK\r\nContent-Length: {content.Length}\r\n\r\n"));
        await stream.WriteAsync(content);
    }

    private static async Task EndAsync(Process rack)
    {
        LegoTool.Signal(rack.Id, "TERM");
        await LegoTool.FinishAsync(rack);
    }
}
