// Words of a new program: what a script puts before its own arguments, as execve(2) describes it, and what does not fit.

using System.Text;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed class ProgramWordsTests
{
    [Fact]
    public void A_scripts_path_follows_its_interpreter_and_replaces_the_first_argument()
    {
        Assert.Equal(Errno.None, ProgramWords.Create(new byte[ProgramWords.BufferBytes], "/tmp/script"u8, out ProgramWords words));
        Assert.Equal(Errno.None, words.Interpret("/bin/first"u8, "-e"u8));
        Assert.Equal("/bin/first", Encoding.ASCII.GetString(words.Path));
        Assert.Equal("/bin/first\0-e\0/tmp/script\0", Encoding.ASCII.GetString(words.Head));
        Assert.Equal((3u, true), (words.HeadCount, words.SkipsFirst));
        // The interpreter is a script itself.
        Assert.Equal(Errno.None, words.Interpret("/bin/second"u8, default));
        Assert.Equal("/bin/second", Encoding.ASCII.GetString(words.Path));
        Assert.Equal("/bin/second\0/bin/first\0-e\0/tmp/script\0", Encoding.ASCII.GetString(words.Head));
        Assert.Equal((4u, true), (words.HeadCount, words.SkipsFirst));
        Assert.Equal("/tmp/script\0", Encoding.ASCII.GetString(words.Name));
    }

    [Fact]
    public void Words_that_do_not_fit_are_refused()
    {
        Assert.Equal(Errno.ENAMETOOLONG,
            ProgramWords.Create(new byte[ProgramWords.BufferBytes], new byte[ProgramWords.BufferBytes / 4], out _));
        Assert.Equal(Errno.None, ProgramWords.Create(new byte[ProgramWords.BufferBytes], "/x"u8, out ProgramWords words));
        Assert.Equal(Errno.E2BIG, words.Interpret(new byte[ProgramWords.BufferBytes], default));
        Assert.Equal("/x", Encoding.ASCII.GetString(words.Path));
    }
}
