// Programs of the rack and this host talk by TCP and UDP: servers here and there, each kind of card, a sound and a faulty wire.

using System;
using System.Diagnostics;
using System.IO;
using System.Net;
using System.Net.Http;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class ServerTests : IDisposable
{
    private const int FileBytes = 8_000_000;
    private const int SmallBytes = 300_000;
    private static readonly TimeSpan s_limit = HostSpeed.Scale(TimeSpan.FromSeconds(60));

    private readonly string _folder = Directory.CreateTempSubdirectory("lego-server-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private (string Path, string Digest) MakeFile(int bytes)
    {
        byte[] content = new byte[bytes];
        new Random(bytes).NextBytes(content);
        string path = Path.Combine(_folder, "file");
        File.WriteAllBytes(path, content);
        return (path, Convert.ToHexStringLower(SHA256.HashData(content)));
    }

    [Theory]
    [InlineData("virtio", "", FileBytes)]
    [InlineData("e1000", "", FileBytes)]
    [InlineData("virtio", "loss=1%,delay=1ms,reorder=2%,duplicate=1%,corrupt=0.1%", SmallBytes)]
    public async Task A_web_server_of_the_rack_serves_this_host(string card, string faults, int bytes)
    {
        (string path, string digest) = MakeFile(bytes);
        int port = FreePort();
        string[] wire = faults.Length == 0 ? [] : ["--wire", faults, "--seed", "3"];
        using Process server = await LegoTool.StartReadyAsync(
            ["--nic", card, "--publish", $"{port}:80", "--add", $"{path}:/www/file", .. wire], "exec httpd -f -p 80 -h /www");
        try
        {
            using HttpClient client = new() { Timeout = s_limit };
            byte[] served = await client.GetByteArrayAsync($"http://127.0.0.1:{port}/file");
            Assert.Equal(digest, Convert.ToHexStringLower(SHA256.HashData(served)));
            Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync($"http://127.0.0.1:{port}/none")).StatusCode);
        }
        finally
        {
            LegoTool.Signal(server.Id, "TERM");
            await LegoTool.FinishAsync(server);
        }
    }

    [Theory]
    [InlineData("virtio")]
    [InlineData("e1000")]
    public async Task A_program_of_the_rack_fetches_a_file_from_this_host(string card)
    {
        (string path, string digest) = MakeFile(FileBytes);
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        Task serving = ServeOnceAsync(listener, path);
        ProgramResult rack = await Rack.RunAsync(["--nic", card], ["sh", "-c", $"wget -q -O - http://10.0.2.2:{port}/file | sha256sum"]);
        Assert.True(rack.Status == 0 && rack.Output.StartsWith(digest, StringComparison.Ordinal), rack.ToString());
        await serving;
    }

    [Fact]
    public async Task A_connection_to_a_port_where_nobody_listens_ends()
    {
        int port = FreePort();
        using Process program = await LegoTool.StartReadyAsync(["--publish", $"{port}:81"], "sleep 60");
        try
        {
            using TcpClient client = new();
            await client.ConnectAsync(IPAddress.Loopback, port);
            Task<int> reading = client.GetStream().ReadAsync(new byte[1]).AsTask();
            Exception? end = await Record.ExceptionAsync(() => reading.WaitAsync(s_limit));
            Assert.True(end is IOException || (end is null && await reading == 0), $"{end}");
        }
        finally
        {
            LegoTool.Signal(program.Id, "TERM");
            await LegoTool.FinishAsync(program);
        }
    }

    [Fact]
    public async Task Datagrams_go_both_ways_through_a_published_port()
    {
        int port = FreePort();
        using Process program = await LegoTool.StartReadyAsync(["--publish", $"{port}:7/udp"], "nc -u -l -p 7 -e cat");
        try
        {
            using UdpClient client = new();
            client.Connect(IPAddress.Loopback, port);
            await client.SendAsync(Encoding.ASCII.GetBytes("hello"));
            UdpReceiveResult answer = await client.ReceiveAsync().WaitAsync(s_limit);
            Assert.Equal("hello", Encoding.ASCII.GetString(answer.Buffer));
        }
        finally
        {
            LegoTool.Signal(program.Id, "TERM");
            await LegoTool.FinishAsync(program);
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
}
