#!/usr/bin/env dotnet
// A program downloads from this host over a sound wire and over worse ones; its TCP has to send again, and the bytes stay right.
// dotnet run scripts/faulty-wire.cs -- loss=5%,delay=2ms
#:project ../tools/rack/rack.csproj
#:property PublishAot=false

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Lego.Racks;

string[] wires = args.Length > 0 ? args : ["loss=0%", "delay=5ms", "loss=2%,reorder=2%"];
byte[] file = new byte[1 << 20];
Random.Shared.NextBytes(file);
string expected = Convert.ToHexStringLower(SHA256.HashData(file));
using TcpListener server = new(IPAddress.Loopback, 0);
server.Start();
_ = ServeAsync();
int port = ((IPEndPoint)server.LocalEndpoint).Port;

foreach (string wire in wires)
{
    RackDescription description = RackDescription.Default with { Network = new() { Wire = WireFaults.Parse(wire, "wire") } };
    await using Rack rack = await Rack.BootAsync(description);
    long start = Stopwatch.GetTimestamp();
    // 10.0.2.2 is this host as programs see it.
    ProgramResult result = await rack.RunAsync("sh", "-c", $"wget -q -O- http://10.0.2.2:{port}/ | sha256sum");
    string verdict = result.Output.StartsWith(expected, StringComparison.Ordinal) ? "right" : $"WRONG {result.Output}{result.Error}";
    Console.WriteLine($"{wire,-22}1 MB in {Stopwatch.GetElapsedTime(start).TotalSeconds,6:0.00} s: {verdict}");
}

async Task ServeAsync()
{
    while (true)
    {
        using TcpClient client = await server.AcceptTcpClientAsync();
        using NetworkStream stream = client.GetStream();
        await stream.ReadAsync(new byte[4096]);
        await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes($"HTTP/1.0 200 OK\r\nContent-Length: {file.Length}\r\n\r\n"));
        await stream.WriteAsync(file);
    }
}
