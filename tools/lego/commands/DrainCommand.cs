// `lego drain` and `lego undrain`: what a memory component owns of programs' memory moves to others while they run.

using System;
using System.CommandLine;
using System.Globalization;

namespace Lego.Tool;

/// <summary>The two commands.</summary>
internal static class DrainCommand
{
    private const int ProgressPages = 16_384;

    public static Command Create()
    {
        Command command = new("drain",
            "Move what a memory component of the rack that is up owns of programs' memory to the others while the programs run, and give "
            + "it no more. The one that caches files, which is the home of all programs, cannot be drained.");
        Argument<string> component = Component();
        command.Arguments.Add(component);
        RackName name = new(command);
        command.SetAction(async result =>
        {
            await using Rack rack = await Rack.FindUpAsync(name.Read(result));
            string drained = result.GetValue(component)!;
            long told = 0;
            DrainReport report = await rack.DrainAsync(drained, pages =>
            {
                if (pages - told >= ProgressPages)
                {
                    told = pages;
                    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{pages:N0} pages moved"));
                }
            });
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{drained} owns no programs' memory any more: {report.Pages:N0} pages moved in {report.Elapsed.TotalSeconds:0.0} s; "
                + $"no page was out of reach for longer than {report.LongestPause.TotalMilliseconds:0.0} ms."));
            return ExitStatus.Success;
        });
        return command;
    }

    public static Command CreateUndo()
    {
        Command command = new("undrain", "Let a memory component that was drained own programs' memory again.");
        Argument<string> component = Component();
        command.Arguments.Add(component);
        RackName name = new(command);
        command.SetAction(async result =>
        {
            await using Rack rack = await Rack.FindUpAsync(name.Read(result));
            await rack.UndrainAsync(result.GetValue(component)!);
            return ExitStatus.Success;
        });
        return command;
    }

    private static Argument<string> Component() => new("COMPONENT") { Description = "A memory component, as m1." };
}
