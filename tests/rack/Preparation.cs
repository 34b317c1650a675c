// What the tests need that takes long to make: Debian's packages from the network, programs through compilers. When all tests are wanted
// (./lego test says so by a variable), it is begun before the first one and made beside it; a test that needs a part waits for that part,
// or makes it itself when it is run alone.

using System;
using System.Runtime.CompilerServices;
using System.Threading.Tasks;

namespace Lego.Rack.Tests;

/// <summary>Begins what is needed later.</summary>
internal static class Preparation
{
    /// <summary>Runs before anything else of this assembly.</summary>
    [ModuleInitializer]
    internal static void Begin()
    {
        if (Environment.GetEnvironmentVariable("LEGO_PREPARE") is { Length: > 0 })
        {
            _ = DebianTree.EnsureAsync();
            _ = Task.Run(BuildProgramsAsync);
        }
    }

    private static async Task BuildProgramsAsync()
    {
        foreach (string name in LinuxPrograms.Names())
        {
            // What goes wrong is told to the tests that use the program.
            await Task.WhenAny(LinuxPrograms.BuildAsync(name));
        }
    }
}
