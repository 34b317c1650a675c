// The options that describe a rack, shared by run, up and demo: a rack file or the default rack, changed by single figures.

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.Linq;

namespace Lego.Tool;

/// <summary>Adds the options to a command and reads them.</summary>
internal sealed class RackOptions
{
    private readonly Option<string?> _rack = new("--rack")
    {
        Description = "Rack file (YAML) that describes the components.",
        HelpName = "FILE",
    };
    private readonly Option<bool> _solo = new("--solo") { Description = "All monitors in one machine, joined in memory." };
    private readonly Option<string?> _link = new("--link")
    {
        Description = "What joins the machines: ring (default) or ethernet.",
        HelpName = "ring|ethernet",
    };
    private readonly Option<string?> _processorMemory = new("--processor-memory") { HelpName = "SIZE" };
    private readonly Option<string?> _excache = new("--excache") { HelpName = "SIZE" };
    private readonly Option<string?> _ways = new("--ways") { Description = "Lines in one set of the ExCache.", HelpName = "N" };
    private readonly Option<string?> _policy = new("--policy")
    {
        Description = "Replacement policy of the ExCache: fifo, lru, clock or random.",
        HelpName = "NAME",
    };
    private readonly Option<string?> _cpus = new("--cpus") { Description = "CPUs of the processor component (default 1).", HelpName = "N" };
    private readonly Option<string?> _vectors = new("--vectors")
    {
        Description = "Vector registers that the processor component offers to programs: sse or avx (default avx).",
        HelpName = "sse|avx",
    };
    private readonly Option<string?> _memory = new("--memory")
    {
        Description = "RAM of the memory component (default 1G).",
        HelpName = "SIZE",
    };
    private readonly Option<string?> _volume = new("--volume")
    {
        Description = "Work on this volume; changes stay. Without it, on a throw-away copy of the default volume.",
        HelpName = "NAME",
    };
    private readonly Option<string[]> _add = new("--add")
    {
        Description = "Put a host file or directory into a throw-away copy of the volume. Repeatable.",
        HelpName = "HOST:GUEST",
        AllowMultipleArgumentsPerToken = false,
    };
    private readonly Option<string?> _loss = new("--loss")
    {
        Description = "Lose this percentage of all frames (link ethernet).",
        HelpName = "PERCENT",
    };
    private readonly Option<string?> _seed = new("--seed")
    {
        Description = "Seed that chooses the frames with faults (--loss, --wire).",
        HelpName = "N",
    };
    private readonly Option<string[]> _boot = new("--boot")
    {
        Description = "A further word of a component's boot line (docs/operating.md lists them), for example p0:piggyback=off. Repeatable.",
        HelpName = "COMPONENT:KEY=VALUE",
        AllowMultipleArgumentsPerToken = false,
    };

    private readonly NetworkOptions _network = new();

    private readonly RackDescription _standard;

    /// <param name="command">Gets the options.</param>
    /// <param name="standard">The rack when no file describes one; null: the default rack.</param>
    public RackOptions(Command command, RackDescription? standard = null)
    {
        _standard = standard ?? RackDescription.Default;
        ComponentDescription processor = _standard.Components.First(c => c.Kind == ComponentKind.Processor);
        _processorMemory.Description =
            $"RAM of the processor component (default {ByteSize.Format(processor.MemoryBytes)}, more for a larger ExCache).";
        _excache.Description = $"ExCache of the processor component (default {ByteSize.Format(processor.ExCacheBytes)}).";
        foreach (Option option in All)
        {
            command.Options.Add(option);
        }
    }

    private IEnumerable<Option> All =>
        [_rack, _solo, _link, _processorMemory, _excache, _ways, _policy, _cpus, _vectors, _memory, _volume, _add, .. _network.All, _loss,
            _seed, _boot];

    /// <summary>True when any option asks for a rack of its own rather than the one that is up.</summary>
    public bool AreGiven(ParseResult result) => All.Any(o => result.GetResult(o) is { Implicit: false });

    /// <summary>The rack that the options describe, checked, and the files to add.</summary>
    public RackOrder Read(ParseResult result, string directoryName)
    {
        RackDescription rack = result.GetValue(_rack) is { } file ? RackFile.Load(file) : _standard;
        if (result.GetValue(_link) is { } link)
        {
            rack = rack with { Link = ParseLink(link) };
        }

        rack = rack.With(ComponentKind.Processor, c => ReadProcessor(result, c));
        if (result.GetValue(_memory) is { } memory)
        {
            rack = rack.With(ComponentKind.Memory, c => c with { MemoryBytes = ByteSize.Parse(memory, "--memory") });
        }

        if (result.GetValue(_volume) is { } volume)
        {
            rack = rack.With(ComponentKind.Storage, c => c with { Volume = volume });
        }

        rack = ReadLoss(result, rack) with { Network = _network.Read(result, rack.Network) };
        rack.Check();
        if (result.GetValue(_solo))
        {
            rack = rack.ToSolo();
            rack.Check();
        }

        foreach (string boot in result.GetValue(_boot) ?? [])
        {
            rack = BootWord.AddTo(rack, boot);
        }

        HostMemory.Check(rack);
        NetworkOptions.CheckFiles(rack.Network);
        WarnOfCpus(rack);
        return new RackOrder(rack, [.. (result.GetValue(_add) ?? []).Select(AddedFile.Parse)], directoryName);
    }

    // Under emulation each CPU of a machine is a thread that polls; more of them than the host has make little progress together.
    private static void WarnOfCpus(RackDescription rack)
    {
        if (rack.Components.FirstOrDefault(c => c.Cpus > Environment.ProcessorCount) is { } component)
        {
            Console.Error.WriteLine(
                $"lego: warning: {component.Title} has {component.Cpus} CPUs, this host {Environment.ProcessorCount}; it will be slow");
        }
    }

    private ComponentDescription ReadProcessor(ParseResult result, ComponentDescription processor)
    {
        if (result.GetValue(_excache) is { } excache)
        {
            long bytes = ByteSize.Parse(excache, "--excache");
            long room = Math.Max(processor.MemoryBytes, RackDescription.ProcessorMemoryFor(bytes));
            processor = processor with { ExCacheBytes = bytes, MemoryBytes = room };
        }

        if (result.GetValue(_processorMemory) is { } memory)
        {
            processor = processor with { MemoryBytes = ByteSize.Parse(memory, "--processor-memory") };
        }

        if (result.GetValue(_ways) is { } text)
        {
            if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int ways) || ways == 0)
            {
                throw ToolException.Usage($"--ways: '{text}' is not a positive number");
            }

            processor = processor with { Ways = ways };
        }

        if (result.GetValue(_policy) is { } policy)
        {
            processor = processor with { Policy = RackFile.ParseEnum<ExCachePolicy>(policy, "--policy") };
        }

        if (result.GetValue(_cpus) is { } number)
        {
            if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int cpus))
            {
                throw ToolException.Usage($"--cpus: '{number}' is not a number");
            }

            processor = processor with { Cpus = cpus };
        }

        if (result.GetValue(_vectors) is { } vectors)
        {
            processor = processor with { Vectors = RackFile.ParseEnum<VectorRegisters>(vectors, "--vectors") };
        }

        return processor;
    }

    /// <summary>Reads --link.</summary>
    public static LinkKind ParseLink(string text) => RackFile.ParseEnum<LinkKind>(text, "--link") is var link and not LinkKind.Local
        ? link
        : throw ToolException.Usage($"--link: '{text}' is none of ring, ethernet");

    private RackDescription ReadLoss(ParseResult result, RackDescription rack)
    {
        if (result.GetValue(_loss) is { } loss)
        {
            rack = double.TryParse(loss, NumberStyles.Float, CultureInfo.InvariantCulture, out double percent) && double.IsFinite(percent)
                ? rack with { LossPercent = percent }
                : throw ToolException.Usage($"--loss: '{loss}' is not a percentage");
        }

        if (result.GetValue(_seed) is { } seed)
        {
            rack = ulong.TryParse(seed, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
                ? rack with { LossSeed = number }
                : throw ToolException.Usage($"--seed: '{seed}' is not a number");
        }

        return rack;
    }
}
