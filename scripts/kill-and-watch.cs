#!/usr/bin/env dotnet
// What a program sees when a component loses power: freezes the memory component for a moment, which nobody notices, then kills it.
// dotnet run scripts/kill-and-watch.cs -- m0
#:project ../tools/rack/rack.csproj
#:property PublishAot=false

using Lego.Racks;

string victim = args.Length > 0 ? args[0] : "m0";
await using Rack rack = await Rack.BootAsync();
await using RackProgram program = await rack.StartAsync("sh", "-c", "n=0; while :; do n=$((n+1)); echo tick $n; ls / >/dev/null; done");
await program.WaitForOutputAsync("tick 5\n");
Console.WriteLine("the program runs");

await rack.FreezeAsync(victim);
await Task.Delay(TimeSpan.FromSeconds(0.5));
await rack.ThawAsync(victim);
int before = program.Output.Split('\n').Length;
await program.WaitForOutputAsync($"tick {before + 5}\n");
Console.WriteLine($"{victim} stood still for half a second; the program goes on");

Task<string> failure = rack.WaitForFailureAsync();
await rack.KillAsync(victim);
Console.WriteLine($"the rack says: {await failure}");
try
{
    await program.Result;
}
catch (ToolException error)
{
    Console.WriteLine($"the program's run ends with status {error.Status}: {error.Message}");
}
