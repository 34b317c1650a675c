#!/usr/bin/env dotnet
// Compares the ExCache's replacement policies: the same program with each of them, lines fetched from the memory component, and a figure.
// dotnet run scripts/policy-comparison.cs -- policies.svg
#:package ScottPlot@5.1.59
#:project ../tools/rack/rack.csproj
#:property PublishAot=false

using Lego.Racks;
using ScottPlot;

string figure = args.Length > 0 ? args[0] : "policies.svg";
string work = "seq 1 15000 | sort -r | sort -n | md5sum";
List<Bar> bars = [];
List<string> names = [];
foreach (ExCachePolicy policy in Enum.GetValues<ExCachePolicy>())
{
    RackDescription description = RackDescription.Default.With(ComponentKind.Processor,
        c => c with { ExCacheBytes = ByteSize.MiB, Ways = 64, Policy = policy });
    await using Rack rack = await Rack.BootAsync(description);
    ProgramResult result = await rack.RunAsync("sh", "-c", work);
    ulong fetched = (await rack.StatisticsAsync())["processor.excache.fills_from_memory"];
    Console.WriteLine($"{policy,-8}{fetched,10:N0} lines fetched   {result.Output.Trim()}");
    bars.Add(new Bar { Position = bars.Count, Value = fetched });
    names.Add(policy.ToString().ToLowerInvariant());
}

Plot plot = new();
plot.Add.Bars(bars);
plot.Axes.Bottom.SetTicks([.. bars.Select(bar => bar.Position)], [.. names]);
plot.Axes.Margins(bottom: 0);
plot.Title($"{work}, ExCache of 1 MB");
plot.YLabel("lines fetched");
plot.SaveSvg(figure, 700, 450);
Console.WriteLine($"figure: {figure}");
