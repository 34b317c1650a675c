// `lego bench fetch`: what a line fetch costs, on ring and on ethernet of either card, in one run on this host; per-stage times come from a
// second run with stages=on, so that taking the stamps does not disturb the figures. `lego bench instructions`: the same figures in
// executed instructions, on one machine whose clock counts them. They do not depend on the host or on what else it does, so they show what
// a change of the code costs. `lego bench syscalls`, `lego bench net`: a program on a rack beside the same program in a Linux guest.

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>The bench command.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        Command command = new("bench", "Measure a rack.");
        command.Subcommands.Add(Subcommand("fetch",
            "What fetching a line costs: echo of the raw link, trap, misses with clean and dirty victims, stages of a miss; "
            + "on ring, ethernet and ethernet by e1000 cards. Medians, microseconds.", FetchAsync));
        command.Subcommands.Add(Subcommand("instructions",
            "The same in executed instructions (QEMU's -icount) with all monitors in one machine: figures that no other load of this host "
            + "changes. A page copied or cleared by a string instruction counts one for each word.", InstructionsAsync));
        command.Subcommands.Add(SystemCalls());
        command.Subcommands.Add(Net());
        return command;
    }

    private static Command SystemCalls()
    {
        Command command = new("syscalls",
            "What system calls cost a program on a rack and in a Linux guest, side by side under the same QEMU flags, the guest's files on "
            + "ext4 on a virtio disk. Fetches Debian's kernel when it is used first. Medians, microseconds.");
        Option<string> link = new("--link")
        {
            Description = "ring or ethernet.",
            HelpName = "LINK",
            DefaultValueFactory = _ => "ring",
        };
        Option<string?> rows = new("--rows") { Description = "Only these rows, separated by commas.", HelpName = "ROWS" };
        Option<int> rounds = new("--rounds")
        {
            Description = "Rounds that the medians are taken of.",
            HelpName = "N",
            DefaultValueFactory = _ => 5,
        };
        Option<int> busy = new("--busy") { Description = "Keep the host busy with this many loops meanwhile.", HelpName = "N" };
        Option<string?> json = Json();
        command.Options.Add(link);
        command.Options.Add(rows);
        command.Options.Add(rounds);
        command.Options.Add(busy);
        command.Options.Add(json);
        command.SetAction(async (result, cancellation) =>
        {
            string? file = CheckedFile(result.GetValue(json));
            SystemCallOrder order = new(RackOptions.ParseLink(result.GetValue(link)!), (result.GetValue(rows) ?? "")
                .Split(',', StringSplitOptions.RemoveEmptyEntries),
                AtLeast(1, result.GetValue(rounds), "--rounds"), AtLeast(0, result.GetValue(busy), "--busy"));
            IReadOnlyList<SystemCallRow> measured = await SystemCallBench.RunAsync(order, cancellation);
            PrintSideBySide(measured, order.Link.ToString());
            return await FinishAsync(file, SystemCallBench.ToJson(measured), cancellation);
        });
        return command;
    }

    private static Command Net()
    {
        Command command = new("net",
            "What TCP and UDP to a server on this host cost a program on a rack and in a Linux guest with the same card and network, "
            + "side by side. Medians, microseconds.");
        Option<string> card = new("--nic")
        {
            Description = "virtio or e1000.",
            HelpName = "CARD",
            DefaultValueFactory = _ => "virtio",
        };
        Option<string?> rows = new("--rows") { Description = "Only these rows, separated by commas.", HelpName = "ROWS" };
        Option<int> rounds = new("--rounds")
        {
            Description = "Rounds that the medians are taken of.",
            HelpName = "N",
            DefaultValueFactory = _ => 5,
        };
        Option<string?> json = Json();
        Array.ForEach<Option>([card, rows, rounds, json], command.Options.Add);
        command.SetAction(async (result, cancellation) =>
        {
            string? file = CheckedFile(result.GetValue(json));
            CardModel model = RackFile.ParseEnum<CardModel>(result.GetValue(card)!, "--nic");
            string[] chosen = (result.GetValue(rows) ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries);
            IReadOnlyList<SystemCallRow> measured =
                await NetworkBench.RunAsync(model, chosen, AtLeast(1, result.GetValue(rounds), "--rounds"), cancellation);
            PrintSideBySide(measured, model.ToString());
            return await FinishAsync(file, SystemCallBench.ToJson(measured), cancellation);
        });
        return command;
    }

    private static void PrintSideBySide(IReadOnlyList<SystemCallRow> rows, string kind)
    {
        static string Text(double? value) =>
            value is { } number ? number.ToString(number < 1 ? "0.000" : "0.00", CultureInfo.InvariantCulture) : "-";
        TextTable.Print(
            ["row", "median, us", "Linux guest", $"rack, {kind.ToLowerInvariant()}", "rack / guest"],
            rows.Select(row => new[] { row.Name, row.Title, Text(row.Linux.Median), Text(row.Rack.Median), Text(row.Ratio) }));
        foreach (SystemCallRow row in rows)
        {
            Explain(row, "the guest", row.Linux);
            Explain(row, "the rack", row.Rack);
        }
    }

    private static void Explain(SystemCallRow row, string side, SystemCallFigure figure)
    {
        if (figure.Reason is { } reason)
        {
            Console.WriteLine($"{row.Name}: not on {side}: {reason}");
        }
    }

    private static Option<string?> Json() => new("--json") { Description = "Write the medians as JSON, too.", HelpName = "FILE" };

    private static int AtLeast(int least, int number, string option) =>
        number >= least ? number : throw ToolException.Usage($"{option}: {number} is less than {least}");

    private static string? CheckedFile(string? json)
    {
        OutputFile.Check(json, "--json");
        return json;
    }

    private static Command Subcommand(string name, string description, Func<string?, CancellationToken, Task<int>> run)
    {
        Command command = new(name, description);
        Option<string?> json = Json();
        command.Options.Add(json);
        command.SetAction((result, cancellation) => run(CheckedFile(result.GetValue(json)), cancellation));
        return command;
    }

    private static async Task<int> FetchAsync(string? json, CancellationToken cancellation)
    {
        List<(string Name, BenchReport Report)> reports = new();
        (string Name, LinkKind Link, CardModel Card)[] racks =
        [
            ("ring", LinkKind.Ring, CardModel.Virtio), ("ethernet", LinkKind.Ethernet, CardModel.Virtio),
                ("e1000", LinkKind.Ethernet, CardModel.E1000),
        ];
        foreach ((string name, LinkKind link, CardModel card) in racks)
        {
            using IDisposable step = new Progress(ProgressStyle.Open).Step($"measuring on {name}");
            RackDescription rack = RackDescription.Default with { Link = link, Network = new NetworkDescription { FabricCard = card } };
            (BenchReport report, _) = await FetchProgram.RunAsync(rack, null, [], cancellation);
            (_, StatisticsDocument stages) = await FetchProgram.RunAsync(rack, null, ["stages=on"], cancellation);
            report.AddStages(stages.Components.First().Counters);
            reports.Add((name, report));
        }

        PrintTable("median, us", reports, "0.00");
        return await FinishAsync(json, BenchReport.ToJson(reports), cancellation);
    }

    private static async Task<int> InstructionsAsync(string? json, CancellationToken cancellation)
    {
        using IDisposable step = new Progress(ProgressStyle.Open).Step("counting instructions");
        // The clock advances by one nanosecond for each instruction.
        RackDescription rack = RackDescription.Default.ToSolo() with { Network = new() { Kind = NetworkKind.None } };
        (BenchReport report, _) = await FetchProgram.RunAsync(rack, Accelerator.Count, [], cancellation);
        BenchReport counts = report.InNanoseconds();
        PrintTable("median, instructions", [("solo", counts)], "0");
        return await FinishAsync(json, BenchReport.ToJson([("solo", counts)], "_instructions"), cancellation);
    }

    private static async Task<int> FinishAsync(string? file, string json, CancellationToken cancellation)
    {
        if (file is not null)
        {
            await File.WriteAllTextAsync(file, json + "\n", cancellation);
        }

        return ExitStatus.Success;
    }

    private static void PrintTable(string title, List<(string Name, BenchReport Report)> reports, string format)
    {
        List<string[]> rows = [];
        foreach (string name in reports.SelectMany(r => r.Report.Figures).Select(f => f.Name).Distinct())
        {
            rows.Add([Describe(name), .. reports.Select(r => Figure(r.Report.Figures, name, format))]);
        }

        foreach (string name in reports.SelectMany(r => r.Report.Stages).Select(f => f.Name).Distinct())
        {
            rows.Add([$"stage of a miss: {name} (mean)", .. reports.Select(r => Figure(r.Report.Stages, name, format))]);
        }

        TextTable.Print([title, .. reports.Select(r => r.Name)], rows);
    }

    private static string Describe(string name) => name switch
    {
        "rpc_echo" => "echo of 4 KB as a request and its reply",
        "echo" => "echo of 4 KB on the raw link",
        "trap" => "bare page-fault trap",
        "null_call" => "null call (getppid)",
        "read_byte" => "read of 1 byte of /dev/zero",
        "write_byte" => "write of 1 byte to /dev/null",
        "missing_name" => "stat of a missing name",
        "read_page" => "pread of 4 KB of a cached file",
        "write_page" => "pwrite of 4 KB to a cached file",
        "thread" => "thread create + join",
        "yield" => "sched_yield beside another, there and back",
        "first_touch" => "first touch of anonymous memory",
        "miss_clean" => "ExCache miss, clean victim",
        "miss_dirty" => "ExCache miss, dirty victim",
        _ => name,
    };

    private static string Figure(IEnumerable<(string Name, double Value)> figures, string name, string format)
    {
        foreach ((string found, double value) in figures)
        {
            if (found == name)
            {
                return value.ToString(format, CultureInfo.InvariantCulture);
            }
        }

        return "-";
    }
}
