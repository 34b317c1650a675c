#!/usr/bin/env dotnet
// Looks for a program's bytes from outside: which machines' RAM has the text that it has written to a file? The memory component has the
// file's page; the processor component and the manager have seen it pass, and the storage component will when it is written back.
#:project ../tools/rack/rack.csproj
#:property PublishAot=false

using System.Text;
using Lego.Racks;

const int SeenBytes = 64 << 20;
RackDescription description = RackDescription.Default;
description = description with { Components = [.. description.Components.Select(c => c with { MemoryBytes = SeenBytes })] };
await using Rack rack = await Rack.BootAsync(description);
string mark = $"mark-{Guid.NewGuid():N}";
await rack.RunAsync(new ProgramOptions { Input = new MemoryStream(Encoding.ASCII.GetBytes(mark)) }, "sh", "-c", "cat >/tmp/note");
foreach (ComponentLine component in await rack.ComponentsAsync())
{
    byte[] memory = await rack.PeekAsync(component.Name, 0, SeenBytes);
    int at = memory.AsSpan().IndexOf(Encoding.ASCII.GetBytes(mark));
    Console.WriteLine($"{component.Title,-16}{(at < 0 ? "not here" : $"here, at 0x{at:x}")}");
}
