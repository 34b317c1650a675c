#!/usr/bin/env dotnet
// The first script: boots a rack, runs a program on it and shows what the components counted meanwhile.
#:project ../tools/rack/rack.csproj
#:property PublishAot=false

using Lego.Racks;

await using Rack rack = await Rack.BootAsync();
Console.WriteLine($"up after {rack.BootTime.TotalSeconds:0.00} s");
foreach (ComponentLine component in await rack.ComponentsAsync())
{
    Console.WriteLine($"  {component.Title}: {ByteSize.Format(component.MemoryBytes)} of RAM, process {component.ProcessId}");
}

ProgramResult result = await rack.RunAsync("sh", "-c", "echo hello from $(hostname); exit 7");
Console.Write(result.Output);
Console.WriteLine($"status {result.Status}");

StatisticsDocument counters = await rack.StatisticsAsync();
Console.WriteLine($"page faults {counters["processor.excache.faults"]}, lines fetched {counters["processor.excache.fills_from_memory"]}");
