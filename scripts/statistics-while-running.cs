#!/usr/bin/env dotnet
// Watches counters while a program runs: what each fifth of a second brought.
#:project ../tools/rack/rack.csproj
#:property PublishAot=false

using Lego.Racks;

await using Rack rack = await Rack.BootAsync(
    RackDescription.Default.With(ComponentKind.Processor, c => c with { ExCacheBytes = 4 * ByteSize.MiB }));
await using RackProgram program = await rack.StartAsync("sh", "-c", "seq 1 80000 | sort -r | md5sum");
StatisticsDocument before = await rack.StatisticsAsync();
Console.WriteLine("   faults   fetched   written back   frames at m0");
while (await Task.WhenAny(program.Result, Task.Delay(TimeSpan.FromSeconds(0.2))) != program.Result)
{
    StatisticsDocument now = await rack.StatisticsAsync();
    Console.WriteLine($"{Since("processor.excache.faults"),9:N0}{Since("processor.excache.fills_from_memory"),10:N0}"
        + $"{Since("processor.excache.flushes"),15:N0}{now["memory.frames_used"],15:N0}");
    before = now;

    ulong Since(string counter) => now[counter] - before[counter];
}

Console.Write((await program.Result).Output);
