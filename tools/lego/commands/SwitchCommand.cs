// `lego switch`: the Ethernet segment of a rack as a process of its own, in a session of its own, like the machines (MachineStarter): a
// Ctrl-Z that stops the tool must not stop the network, or the rack's components would take each other for dead. It ends with the tool.

using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.Linq;

namespace Lego.Tool;

/// <summary>The hidden command.</summary>
internal static class SwitchCommand
{
    public static Command Create()
    {
        Command command = new(FrameSwitch.CommandName, "Forward Ethernet frames between the machines of a rack (used by run and up).")
        {
            Hidden = true,
        };
        Argument<string> directory = new("directory") { Description = "The rack's directory." };
        Argument<string> nodes = new("nodes") { Description = "Node numbers, separated by commas." };
        Argument<double> loss = new("loss") { Description = "Percent of frames that are lost." };
        Argument<ulong> seed = new("seed") { Description = "Seed of the losses." };
        Array.ForEach<Argument>([directory, nodes, loss, seed], command.Arguments.Add);
        command.SetAction(result =>
        {
            IEnumerable<int> numbers = result.GetValue(nodes)!.Split(',').Select(number => int.Parse(number, CultureInfo.InvariantCulture));
            FrameLoss losses = new(result.GetValue(loss), result.GetValue(seed));
            using FrameSwitch forwarder = new(result.GetValue(directory)!, numbers, losses);
            forwarder.WaitForEnd();
            return ExitStatus.Success;
        });
        return command;
    }
}
