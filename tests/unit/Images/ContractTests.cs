// The contracts of kernel/contracts hold in every image, and the verification sees what breaks them: the image `refused`
// (tests/unit/Images/ refused) breaks each rule once, directly, through a chain of calls, through a virtual call and through a generic one.

using System.IO;
using System.Linq;
using Xunit;

namespace Lego.Tests.Images;

public sealed class ContractTests
{
    /// <summary>Where threads change: every wait ends here.</summary>
    private const string Switch = "Scheduler.Switch";

    public static TheoryData<string> Images => ["processor", "memory", "storage", "manager", "solo"];

    [Theory]
    [MemberData(nameof(Images))]
    public void What_a_function_promises_holds_for_everything_that_it_calls(string image)
    {
        using ContractGraph graph = new(ImageFiles.AssemblyOf(Path.Combine("boot", image), image));
        Assert.True(!graph.Violations(Switch).Any(), string.Join("\n", graph.Violations(Switch)));
        Assert.True(graph.Count("NoBlock") > 20 && graph.Count("Blocks") > 5 && graph.Count("NoAllocation") > 3,
            "the image has lost its contracts");
    }

    [Theory]
    [InlineData("Direct.Poll is marked [NoBlock] and may block: Direct.Poll > Scheduler.Yield > Scheduler.PassTurn > Scheduler.Switch")]
    [InlineData("Chain.Poll is marked [NoBlock] and may block: Chain.Poll > Chain.Helper > WaitQueue.Wait")]
    [InlineData("Virtual.Poll is marked [NoBlock] and may block: Virtual.Poll > Sleeper.Act > Scheduler.Sleep")]
    [InlineData("Generic.Poll is marked [NoBlock] and may block: Generic.Poll > Generic.Run > SleepingPolicy.Act > Scheduler.Sleep")]
    [InlineData("Idle.Rest is marked [Blocks] and cannot block")]
    [InlineData("Maker.Object is marked [NoAllocation] and may allocate: Maker.Object")]
    [InlineData("Maker.Array is marked [NoAllocation] and may allocate: Maker.Array > Maker.Make")]
    [InlineData("Maker.Boxed is marked [NoAllocation] and may allocate: Maker.Boxed")]
    public void An_image_that_breaks_a_promise_is_refused(string complaint)
    {
        using ContractGraph graph = new(ImageFiles.AssemblyOf(Path.Combine("tests", "unit", "Images", "refused"), "refused"));
        Assert.Contains(graph.Violations(Switch), found => found.StartsWith(complaint, System.StringComparison.Ordinal));
    }

    [Fact]
    public void An_image_whose_promises_hold_has_no_complaint()
    {
        using ContractGraph graph = new(ImageFiles.AssemblyOf(Path.Combine("tests", "unit", "Images", "refused"), "refused"));
        Assert.DoesNotContain(graph.Violations(Switch), found => found.StartsWith("Honest.", System.StringComparison.Ordinal));
    }
}
