// Holds the one rule between the folders: monitors -> drivers -> kernel -> corelib, no monitor refers to another, and only kernel/machine
// (with its stand-ins, and boot/) reaches outside C# (InternalCall). Judged from the sources' `namespace` and `using` lines and from
// qualified names, so that it needs no build of the images.

using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.RegularExpressions;
using Xunit;

namespace Lego.Tests.Layering;

public sealed class LayeringTests
{
    /// <summary>Which of our namespaces the sources of a folder may name. The longest matching folder decides.</summary>
    private static readonly (string Folder, string[] Allowed)[] s_rules =
    [
        // The core library ends in the nucleus: its failures are panics and its `new` is the boot-time heap.
        ("kernel/corelib", ["System", "Lego.Kernel"]),
        ("kernel", ["Lego.Kernel"]),
        ("drivers", ["Lego.Kernel", "Lego.Drivers"]),
        ("monitors/fabric", ["Lego.Kernel", "Lego.Fabric"]),
        ("monitors/common", ["Lego.Kernel", "Lego.Fabric", "Lego.Common"]),
        ("monitors/processor", ["Lego.Kernel", "Lego.Fabric", "Lego.Common", "Lego.Processor"]),
        ("monitors/memory", ["Lego.Kernel", "Lego.Fabric", "Lego.Common", "Lego.Memory"]),
        ("monitors/storage", ["Lego.Kernel", "Lego.Fabric", "Lego.Common", "Lego.Storage"]),
        ("monitors/manager", ["Lego.Kernel", "Lego.Fabric", "Lego.Common", "Lego.Manager"]),
    ];

    private static readonly Regex s_name = new(@"\bLego(\.[A-Z]\w*)+", RegexOptions.Compiled);

    [Fact]
    public void Every_folder_names_only_the_layers_below_it()
    {
        List<string> violations = new();
        foreach (string path in KernelSources.In("kernel", "drivers", "monitors"))
        {
            (string folder, string[] allowed) = RuleOf(path);
            foreach (Match match in s_name.Matches(KernelSources.CodeOf(path)))
            {
                if (!allowed.Any(prefix => match.Value == prefix || match.Value.StartsWith(prefix + ".", StringComparison.Ordinal)))
                {
                    violations.Add($"{path}: {match.Value} is not below {folder}");
                }
            }
        }

        Assert.Empty(violations);
    }

    [Fact]
    public void Every_source_declares_the_namespace_of_its_layer()
    {
        List<string> violations = new();
        foreach (string path in KernelSources.In("kernel", "drivers", "monitors"))
        {
            Match declared = Regex.Match(KernelSources.CodeOf(path), @"^namespace\s+([\w.]+)", RegexOptions.Multiline);
            (string _, string[] allowed) = RuleOf(path);
            if (declared.Success && !path.StartsWith("kernel/corelib/", StringComparison.Ordinal)
                && !IsBelow(declared.Groups[1].Value, allowed[^1]))
            {
                violations.Add($"{path}: namespace {declared.Groups[1].Value}, expected {allowed[^1]}");
            }
        }

        Assert.Empty(violations);
    }

    [Fact]
    public void Only_the_machine_layer_and_the_core_library_leave_C_sharp()
    {
        string[] permitted = ["kernel/machine/", "kernel/corelib/"];
        string[] doors = ["InternalCall", "RuntimeImport(", "DllImport(", "LibraryImport("];
        List<string> violations = KernelSources.In("kernel", "drivers", "monitors")
            .Where(path => !permitted.Any(folder => path.StartsWith(folder, StringComparison.Ordinal)))
            .Where(path => doors.Any(door => KernelSources.CodeOf(path).Contains(door, StringComparison.Ordinal)))
            .ToList();
        Assert.Empty(violations);
    }

    [Fact]
    public void The_rule_sees_a_forbidden_name()
    {
        string[] allowed = s_rules.Single(rule => rule.Folder == "monitors/memory").Allowed;
        Assert.DoesNotContain(allowed, prefix => IsBelow("Lego.Storage.Volume", prefix));
        Assert.Contains(allowed, prefix => IsBelow("Lego.Fabric.Messages", prefix));
    }

    private static bool IsBelow(string name, string prefix) => name == prefix || name.StartsWith(prefix + ".", StringComparison.Ordinal);

    private static (string Folder, string[] Allowed) RuleOf(string path) =>
        s_rules.Where(rule => path.StartsWith(rule.Folder + "/", StringComparison.Ordinal)).MaxBy(rule => rule.Folder.Length);
}
