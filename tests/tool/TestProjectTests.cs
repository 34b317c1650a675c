// What `lego test` makes of a run of dotnet test: one that broke off is never a pass.

using System.Xml.Linq;
using Xunit;

namespace Lego.Tool.Tests;

public class TestProjectTests
{
    private const string What = "tests/rack: dotnet test ended";

    private static XDocument Results(params string[] outcomes)
    {
        XNamespace trx = "http://microsoft.com/schemas/VisualStudio/TeamTest/2010";
        XElement root = new(trx + "TestRun");
        foreach (string outcome in outcomes)
        {
            root.Add(new XElement(trx + "UnitTestResult", new XAttribute("testName", "T"), new XAttribute("outcome", outcome)));
        }

        return new XDocument(root);
    }

    [Fact]
    public void A_run_is_what_its_results_say()
    {
        TestResult result = TestProject.Judge(Results("Passed", "NotExecuted", "Failed"), 1, What, "");
        Assert.Equal((1, 1, 1), (result.Passed, result.Skipped, result.Failures.Count));
    }

    [Fact]
    public void A_filter_that_nothing_matches_is_no_failure() => Assert.Empty(TestProject.Judge(Results(), 0, What, "").Failures);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_run_without_results_is_a_failure(int status) =>
        Assert.Equal([$"{What} without results: out of memory"], TestProject.Judge(null, status, What, "out of memory").Failures);

    [Fact]
    public void A_run_that_broke_off_after_tests_that_passed_is_a_failure() =>
        Assert.Equal([$"{What} with status 1: crashed"], TestProject.Judge(Results("Passed"), 1, What, "crashed").Failures);
}
