// The scripts that users learn from work as they are: each is run by `dotnet run`, as a user does, and prints what it promises.

using System.IO;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace Lego.Rack.Tests;

public sealed class ScriptTests
{
    [Theory]
    [InlineData("first-rack", "", "hello from p0", "status 7", "page faults")]
    [InlineData("kill-and-watch", "m0", "the program goes on", "the rack says: m0 (memory)", "status 70: m0 (memory)")]
    [InlineData("message-ledger", "cat /etc/passwd", "cat /etc/passwd: status 0", "  Execute\n", " requests, ")]
    [InlineData("excache-sweep", "2M 8M", "     2M", "     8M")]
    [InlineData("two-racks", "", "Ring ", "Ethernet ")]
    [InlineData("two-vnodes", "", "blue reads \"I am blue\"", "red reads \"I am red\"", "I am blue,I am red,")]
    [InlineData("faulty-wire", "delay=2ms loss=1%", "delay=2ms", "loss=1%", ": right")]
    [InlineData("where-is-my-memory", "", "m0 (memory)     here, at 0x")]
    [InlineData("drain-a-memory", "", " pages moved in ", "m1 has 0 of them now", "status 0: ready")]
    [InlineData("statistics-while-running", "", "   faults   fetched", "  -\n")]
    public async Task A_script_prints_what_it_promises(string name, string arguments, params string[] promised)
    {
        ProgramResult result = await RunAsync(name, arguments.Split(' ', System.StringSplitOptions.RemoveEmptyEntries));
        Assert.True(result.Status == 0 && promised.All(result.Output.Contains), result.ToString());
        Assert.DoesNotContain("WRONG", result.Output);
    }

    [Fact]
    public async Task The_script_that_compares_policies_draws_a_figure()
    {
        string figure = Path.Combine(Path.GetTempPath(), $"{Path.GetRandomFileName()}.svg");
        try
        {
            ProgramResult result = await RunAsync("policy-comparison", figure);
            Assert.True(result.Status == 0, result.ToString());
            string[] sums = [.. result.Output.Split('\n').Where(line => line.EndsWith("  -")).Select(line => line.Split(' ')[^3])];
            Assert.True(sums.Length == 4 && sums.Distinct().Count() == 1, result.ToString());
            Assert.Contains("<svg", await File.ReadAllTextAsync(figure));
        }
        finally
        {
            File.Delete(figure);
        }
    }

    private static Task<ProgramResult> RunAsync(string name, params string[] arguments) => Rack.HostAsync(
        Rack.Root, ["dotnet", "run", Path.Combine("scripts", $"{name}.cs"), "--", .. arguments]);
}
