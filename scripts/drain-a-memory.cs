#!/usr/bin/env dotnet
// Empties a memory component while a program works on its pages there: how much moved, how long a page was out of reach at most, and that
// the program has seen nothing of it.
#:project ../tools/rack/rack.csproj
#:property PublishAot=false

using System.IO.Pipelines;
using Lego.Racks;

RackDescription description = RackFile.Parse("""
    region: 2M
    components:
      - {kind: processor, excache: 1M}
      - {kind: memory, memory: 64M}
      - {kind: memory, memory: 64M}
      - {kind: memory, memory: 64M}
      - {kind: storage}
      - {kind: manager}
    """, "three memories").With(ComponentKind.Manager, g => g with { BootArguments = ["placement=round-robin"] });
string spans = await CProgram.EnsureAsync("tests/linux/spans.c");
await using Rack rack = await Rack.BootAsync(description, [AddedFile.Parse($"{spans}:/bin/spans")]);

// It changes an array of six megabytes again and again, and forks children that look at it, until its input ends.
Pipe input = new();
await using RackProgram program = await rack.StartAsync(new ProgramOptions { Input = input.Reader.AsStream() }, "spans", "turns", "6", "7");
for (int tries = 0; tries < 200 && await FramesAsync() < 100; tries++)
{
    await Task.Delay(20);
}

Console.WriteLine($"m1 has {await FramesAsync()} of the program's pages");
DrainReport report = await rack.DrainAsync("m1");
Console.WriteLine($"{report.Pages} pages moved in {report.Elapsed.TotalSeconds:0.00} s, "
    + $"each out of reach for {report.LongestPause.TotalMilliseconds:0.0} ms at most");
Console.WriteLine($"m1 has {await FramesAsync()} of them now, and the program goes on");
await input.Writer.CompleteAsync();
ProgramResult result = await program.Result;
Console.WriteLine($"status {result.Status}: {result.Output.ReplaceLineEndings(" ").Trim()}");

async Task<ulong> FramesAsync() => (await rack.StatisticsAsync()).Components.First(c => c.Name == "m1").Counters["memory.frames_used"];
