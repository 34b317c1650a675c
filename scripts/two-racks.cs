#!/usr/bin/env dotnet
// Two racks at once, one joined by rings and one by Ethernet: the same program, the same result, other costs.
#:project ../tools/rack/rack.csproj
#:property PublishAot=false

using System.Diagnostics;
using Lego.Racks;

LinkKind[] links = [LinkKind.Ring, LinkKind.Ethernet];
string[] lines = await Task.WhenAll(links.Select(MeasureAsync));
foreach (string line in lines)
{
    Console.WriteLine(line);
}

static async Task<string> MeasureAsync(LinkKind link)
{
    await using Rack rack = await Rack.BootAsync(RackDescription.Default with { Link = link });
    long start = Stopwatch.GetTimestamp();
    ProgramResult result = await rack.RunAsync("sh", "-c", "sha256sum /bin/busybox | cut -c1-16");
    TimeSpan time = Stopwatch.GetElapsedTime(start);
    ulong bytes = (await rack.StatisticsAsync())["fabric.bytes_received"];
    return $"{link,-10}{result.Output.Trim()}  {bytes,12:N0} bytes to p0  {time.TotalSeconds:0.00} s";
}
