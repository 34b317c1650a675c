// C programs of this tree (tests/linux, tools/bench), compiled by the host's gcc into static executables for the rack and the host alike.
// Results are kept under out/programs and made again when the source is newer.

using System;
using System.IO;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>Compiles C programs.</summary>
public static class CProgram
{
    /// <summary>The executable of a source file given relative to the repository's root.</summary>
    public static async Task<string> EnsureAsync(string source)
    {
        string from = Path.Combine(HostPaths.Root, source);
        string to = Path.Combine(HostPaths.Out, "programs", Path.GetFileNameWithoutExtension(source));
        if (!File.Exists(from))
        {
            throw ToolException.Host($"{source} is missing from this checkout");
        }

        if (!File.Exists(to) || File.GetLastWriteTimeUtc(to) < File.GetLastWriteTimeUtc(from))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            string early = $"{to}.{Environment.ProcessId}";
            await HostProgram.RunAsync("gcc", ["-O2", "-static", "-o", early, from]);
            File.Move(early, to, overwrite: true);
        }

        return to;
    }
}
