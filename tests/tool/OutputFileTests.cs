// Files that options name are looked at before anything is done.

using System.IO;
using Xunit;

namespace Lego.Tool.Tests;

public class OutputFileTests
{
    [Theory]
    [InlineData("")]
    [InlineData("/tmp")]
    [InlineData("/nonexistent/file")]
    public void A_file_that_cannot_be_written_is_a_usage_sentence(string path)
    {
        ToolException error = Assert.Throws<ToolException>(() => OutputFile.Check(path, "--pcap"));
        Assert.Equal(ExitStatus.Usage, error.Status);
        Assert.StartsWith($"--pcap: cannot write '{path}': ", error.Message);
    }

    [Fact]
    public void What_a_file_has_stays_until_the_work_is_done()
    {
        string path = Path.GetTempFileName();
        File.WriteAllText(path, "of the rack that is up");
        OutputFile.Check(path, "--pcap");
        Assert.Equal("of the rack that is up", File.ReadAllText(path));
        File.Delete(path);
    }
}
