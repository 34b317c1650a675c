// What stays in a processor component's RAM of a program's memory: the lines of the ExCache and nothing else. The RAM is read from
// outside, by QEMU's machine protocol (QMP), while a program holds eight times as many recognisable pages (tests/linux/hold.c).

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

[Collection(Alone.Name)]
public sealed class ResidencyTests
{
    private const int Lines = 1024;
    private const int Pages = 8 * Lines;
    private const ulong Seed = 0x5EED_0000_0000;
    private const ulong Multiplier = 0x9E3779B97F4A7C15;
    private const int StampsPerPage = 64;
    private const int StampStrideBytes = 64;
    private const int PageBytes = 4096;
    private const long RamBytes = 64 << 20;
    private static readonly TimeSpan s_limit = HostSpeed.Scale(TimeSpan.FromMinutes(2));

    [Theory]
    [InlineData("ring")]
    [InlineData("ethernet")]
    public async Task A_processor_component_holds_no_more_user_pages_than_lines(string link)
    {
        string[] options = ["--link", link, "--excache", "4M", .. await LinuxPrograms.AddAsync("hold")];
        using Process run = LegoTool.Start(["run", .. options, "--", "/hold", $"{Pages}", $"{Seed}"]);
        string dump = Path.GetTempFileName();
        try
        {
            Assert.Equal("ready", await run.StandardOutput.ReadLineAsync().WaitAsync(s_limit));
            int machine = (await LegoTool.MachinesAsync())["p0"];
            await SaveMemoryAsync(machine, dump);
            (int whole, int partial) = Count(await File.ReadAllBytesAsync(dump));
            // The last pages written are resident: a peek that finds none looks at the wrong memory.
            Assert.InRange(whole, Lines / 2, Lines);
            Assert.True(partial <= Lines, $"{partial} pages hold stamps, {whole} of them whole");
            CommandResult result = await LegoTool.FinishAsync(run);
            Assert.True(result is { Status: 0, OutputText: "ok\n" }, result.ToString());
        }
        finally
        {
            File.Delete(dump);
            if (!run.HasExited)
            {
                // The tool takes its machines down when it is asked to end.
                LegoTool.Signal(run.Id, "TERM");
            }
        }
    }

    /// <summary>Pages of RAM on which every stamp of some page of the program is found, and pages with any stamp at all.</summary>
    private static (int Whole, int Partial) Count(byte[] ram)
    {
        HashSet<ulong> stamps = [.. Enumerable.Range(0, Pages * StampsPerPage).Select(index => (Seed + (ulong)index) * Multiplier)];
        int whole = 0;
        int partial = 0;
        for (int page = 0; page < ram.Length; page += PageBytes)
        {
            ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(ram.AsSpan(page, PageBytes));
            int found = 0;
            foreach (ulong word in words)
            {
                found += stamps.Contains(word) ? 1 : 0;
            }

            whole += found == PageBytes / StampStrideBytes ? 1 : 0;
            partial += found > 0 ? 1 : 0;
        }

        return (whole, partial);
    }

    /// <summary>Has QEMU write the machine's RAM to a file.</summary>
    private static async Task SaveMemoryAsync(int machine, string file)
    {
        string[] arguments = (await File.ReadAllTextAsync($"/proc/{machine}/cmdline")).Split('\0');
        string option = arguments[Array.IndexOf(arguments, "-qmp") + 1];
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(option["unix:".Length..option.IndexOf(',')]));
        using StreamReader answers = new(new NetworkStream(socket), Encoding.UTF8);
        Assert.Contains("QMP", await answers.ReadLineAsync());
        string[] commands =
        [
            """{"execute":"qmp_capabilities"}""",
            $$$"""{"execute":"pmemsave","arguments":{"val":0,"size":{{{RamBytes}}},"filename":"{{{file}}}"}}""",
        ];
        foreach (string command in commands)
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(command + "\n"));
            Assert.Contains("return", await answers.ReadLineAsync().WaitAsync(s_limit));
        }
    }
}
