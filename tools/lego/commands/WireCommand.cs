// `lego wire`: the programs' wire of a rack as a process of its own, for the reason that SwitchCommand has. It ends with the machine.

using System.CommandLine;

namespace Lego.Tool;

/// <summary>The hidden command.</summary>
internal static class WireCommand
{
    public static Command Create()
    {
        Command command = new(WireForwarder.CommandName, "Carry the frames of programs with faults (used by run and up).")
        {
            Hidden = true,
        };
        Argument<string> directory = new("directory") { Description = "The rack's directory." };
        Argument<string> faults = new("faults") { Description = "As --wire has them." };
        Argument<ulong> seed = new("seed") { Description = "Seed of the faults." };
        command.Arguments.Add(directory);
        command.Arguments.Add(faults);
        command.Arguments.Add(seed);
        command.SetAction(result =>
        {
            using WireForwarder wire = new(result.GetValue(directory)!, WireFaults.Parse(result.GetValue(faults)!, "--wire"),
                result.GetValue(seed));
            wire.WaitForEnd();
            return ExitStatus.Success;
        });
        return command;
    }
}
