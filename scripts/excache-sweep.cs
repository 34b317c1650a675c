#!/usr/bin/env dotnet
// How much of a program's memory has to be near it? The same program with ExCaches of several sizes, lines fetched and time.
#:project ../tools/rack/rack.csproj
#:property PublishAot=false

using System.Diagnostics;
using Lego.Racks;

string[] sizes = args.Length > 0 ? args : ["1M", "2M", "4M", "8M", "16M"];
Console.WriteLine("ExCache   lines fetched   written back   seconds");
foreach (string size in sizes)
{
    await using Rack rack = await Rack.BootAsync(
        RackDescription.Default.With(ComponentKind.Processor, c => c with { ExCacheBytes = ByteSize.Parse(size, "size") }));
    long start = Stopwatch.GetTimestamp();
    await rack.RunAsync("sh", "-c", "seq 1 60000 | sort -r | md5sum");
    TimeSpan time = Stopwatch.GetElapsedTime(start);
    StatisticsDocument counters = await rack.StatisticsAsync();
    Console.WriteLine($"{size,7}{counters["processor.excache.fills_from_memory"],16:N0}{counters["processor.excache.flushes"],15:N0}"
        + $"{time.TotalSeconds,10:0.00}");
}
