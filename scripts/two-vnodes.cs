#!/usr/bin/env dotnet
// Two vNodes of one rack run the same program with the same path, and each sees only its own file and its own processes.
#:project ../tools/rack/rack.csproj
#:property PublishAot=false

using Lego.Racks;

await using Rack rack = await Rack.BootAsync();
string[] names = ["blue", "red"];
foreach (string name in names)
{
    int number = await rack.CreateVNodeAsync(name, new VNodeOptions { MemoryBytes = 64 * ByteSize.MiB });
    Console.WriteLine($"{name} is vNode {number}");
}

foreach (string name in names)
{
    await rack.RunAsync(new ProgramOptions { VNode = name }, "sh", "-c", $"echo I am {name} > /tmp/me");
}

foreach (string name in names)
{
    ProgramResult result = await rack.RunAsync(new ProgramOptions { VNode = name }, "sh", "-c", "cat /tmp/me; ps | grep -c -v PID");
    string[] lines = result.Output.Split('\n');
    Console.WriteLine($"{name} reads \"{lines[0]}\" and sees {lines[1]} processes");
}

Console.WriteLine((await rack.RunAsync("sh", "-c", "cat /vnodes/*/tmp/me | sort | tr '\\n' ','")).Output);
foreach (VNodeLine vnode in await rack.VNodesAsync())
{
    Console.WriteLine($"{vnode.Name,-8}{vnode.CpuTime.TotalMilliseconds,10:0} ms of processor time");
}
