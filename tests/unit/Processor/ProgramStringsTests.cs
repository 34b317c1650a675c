using System;
using System.Text;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed class ProgramStringsTests
{
    [Theory]
    [InlineData("#!/bin/sh\n", "/bin/sh", "")]
    [InlineData("#! /bin/sh -e -x  \nrest", "/bin/sh", "-e -x")]
    [InlineData("#!\t/usr/bin/env\tpython3\n", "/usr/bin/env", "python3")]
    [InlineData("#!/bin/sh", "/bin/sh", "")]
    [InlineData("#!/bin/awk -f\r\n", "/bin/awk", "-f\r")]
    public void Interpreter_lines_are_taken_apart_as_execve_does(string text, string interpreter, string argument)
    {
        Assert.True(InterpreterLine.TryParse(Encoding.ASCII.GetBytes(text), out ReadOnlySpan<byte> path, out ReadOnlySpan<byte> rest));
        Assert.Equal(interpreter, Encoding.ASCII.GetString(path));
        Assert.Equal(argument, Encoding.ASCII.GetString(rest));
    }

    [Theory]
    [InlineData("")]
    [InlineData("#")]
    [InlineData("#!")]
    [InlineData("#!\n/bin/sh")]
    [InlineData("#!   \n")]
    [InlineData("\u007fELF")]
    [InlineData("echo hello\n")]
    public void Other_files_have_no_interpreter(string text) => Assert.False(InterpreterLine.TryParse(Encoding.ASCII.GetBytes(text), out _, out _));

    [Fact]
    public void A_scripts_arguments_follow_its_path_which_replaces_the_first()
    {
        ProgramStrings strings = new(new byte[ProgramStrings.MaxBytes]);
        strings.AddPath("/tmp/script"u8);
        strings.AddArgument("script"u8);
        strings.AddArgument("one"u8);
        strings.AddTerminated("A=1\0B=2\0"u8, 0, 2);
        Assert.Equal(Errno.None, strings.Interpret("/bin/sh"u8, "-e"u8));
        Assert.Equal("/bin/sh\0/bin/sh\0-e\0/tmp/script\0one\0A=1\0B=2\0", Encoding.ASCII.GetString(strings.Bytes));
        Assert.Equal("/bin/sh", Encoding.ASCII.GetString(strings.Path));
        Assert.Equal((4u, 2u), (strings.ArgumentCount, strings.EnvironmentCount));
    }

    [Fact]
    public void Strings_that_do_not_fit_are_E2BIG()
    {
        ProgramStrings strings = new(new byte[ProgramStrings.MaxBytes]);
        Assert.Equal(Errno.None, strings.AddPath("/x"u8));
        Assert.Equal(Errno.None, strings.AddArgument(new byte[ProgramStrings.MaxBytes - 10]));
        Assert.Equal(Errno.E2BIG, strings.AddArgument(new byte[10]));
        Assert.Equal(Errno.E2BIG, strings.Interpret("/a/long/interpreter"u8, default));
    }
}
