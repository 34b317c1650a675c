// What is read of the maintainer scripts of packages, and which links come of it.

using System.IO;
using Lego.Racks;
using Xunit;

namespace Lego.Tool.Tests;

public sealed class AlternativesTests : System.IDisposable
{
    private readonly string _tree = Directory.CreateTempSubdirectory("lego-alternatives").FullName;

    public AlternativesTests()
    {
        Directory.CreateDirectory(Path.Combine(_tree, "usr/bin"));
        foreach (string program in new[] { "mawk", "gawk", "php8.2", "phar8.2" })
        {
            File.WriteAllText(Path.Combine(_tree, "usr/bin", program), program);
        }
    }

    public void Dispose() => Directory.Delete(_tree, recursive: true);

    [Fact]
    public void Offers_are_read_over_continued_lines_with_those_that_follow_them()
    {
        Alternative[] offers = [.. Alternatives.Read("""
            if [ "$1" = configure ]; then
                update-alternatives --quiet \
                    --install /usr/bin/awk awk /usr/bin/mawk 5 \
                    --slave /usr/bin/nawk nawk \
                        /usr/bin/mawk
            fi
            """)];
        Assert.Equal([new("/usr/bin/awk", "awk", "/usr/bin/mawk", 5), new("/usr/bin/nawk", "nawk", "/usr/bin/mawk", 5)], offers);
    }

    [Fact]
    public void A_loop_over_words_offers_each_of_them()
    {
        Alternative[] offers = [.. Alternatives.Read("""
            for binary in php phar; do
                update-alternatives --install /usr/bin/${binary} ${binary} /usr/bin/${binary}8.2 82
            done
            """)];
        Assert.Equal([new("/usr/bin/php", "php", "/usr/bin/php8.2", 82), new("/usr/bin/phar", "phar", "/usr/bin/phar8.2", 82)], offers);
    }

    [Theory]
    [InlineData("update-alternatives --install $LINK awk /usr/bin/mawk 5")]
    [InlineData("update-alternatives --install /usr/bin/awk awk /usr/bin/mawk $PRIORITY")]
    [InlineData("update-alternatives --install /usr/bin/awk ../../awk /usr/bin/mawk 5")]
    [InlineData("update-alternatives --install /../awk awk /usr/bin/mawk 5")]
    [InlineData("update-alternatives --remove awk /usr/bin/mawk")]
    [InlineData("")]
    public void What_is_not_told_literally_is_no_offer(string script) => Assert.Empty(Alternatives.Read(script));

    [Fact]
    public void The_highest_offer_whose_program_is_there_is_linked_as_on_Debian()
    {
        Alternatives.Link(_tree,
        [
            new("/usr/bin/awk", "awk", "/usr/bin/mawk", 5), new("/usr/bin/awk", "awk", "/usr/bin/gawk", 10),
            new("/usr/bin/awk", "awk", "/usr/bin/original-awk", 20), new("/usr/bin/gawk", "gawk", "/usr/bin/mawk", 5),
        ]);
        Assert.Equal("/etc/alternatives/awk", new FileInfo(Path.Combine(_tree, "usr/bin/awk")).LinkTarget);
        Assert.Equal("/usr/bin/gawk", new FileInfo(Path.Combine(_tree, "etc/alternatives/awk")).LinkTarget);
        Assert.Equal("gawk", File.ReadAllText(Path.Combine(_tree, "usr/bin/gawk")));
    }
}
