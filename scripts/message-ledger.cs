#!/usr/bin/env dotnet
// The ledger of one program's messages: which requests its processor component sent while it ran. docs/protocol.md says what each means.
// dotnet run scripts/message-ledger.cs -- ls -l /bin
#:project ../tools/rack/rack.csproj
#:property PublishAot=false

using Lego.Racks;

string[] words = args.Length > 0 ? args : ["sh", "-c", "echo text >/tmp/file; cat /tmp/file"];
const string Requests = "fabric.requests.";
await using Rack rack = await Rack.BootAsync();
// What comes once, the first time that a program is executed, is not part of the ledger.
await rack.RunAsync(words);
IReadOnlyDictionary<string, ulong> before = await ProcessorsCounters();
ProgramResult result = await rack.RunAsync(words);
IReadOnlyDictionary<string, ulong> after = await ProcessorsCounters();

Console.WriteLine($"{string.Join(' ', words)}: status {result.Status}");
ulong sum = 0;
foreach ((string name, ulong count) in after.Where(one => one.Key.StartsWith(Requests, StringComparison.Ordinal)))
{
    ulong sent = count - before.GetValueOrDefault(name);
    sum += sent;
    if (sent > 0)
    {
        Console.WriteLine($"{sent,6}  {name[Requests.Length..]}");
    }
}

Console.WriteLine($"{sum,6}  requests, {after["fabric.bytes_sent"] - before["fabric.bytes_sent"]:N0} bytes sent, "
    + $"{after["fabric.bytes_received"] - before["fabric.bytes_received"]:N0} received");

async Task<IReadOnlyDictionary<string, ulong>> ProcessorsCounters() =>
    (await rack.StatisticsAsync()).Components.First(component => component.Name == "p0").Counters;
