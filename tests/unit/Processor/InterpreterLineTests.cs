// Interpreter lines of scripts as execve(2) describes them.

using System;
using System.Text;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed class InterpreterLineTests
{
    [Theory]
    [InlineData("#!/bin/sh\nrest", "/bin/sh", "")]
    [InlineData("#! /bin/sh  -x y \t\nrest", "/bin/sh", "-x y")]
    [InlineData("#!/bin/sh", "/bin/sh", "")]
    [InlineData("#!\t/bin/env\tpython3\n", "/bin/env", "python3")]
    [InlineData("#!sh -e\n", "sh", "-e")]
    [InlineData("#!/bin/awk -f\r\n", "/bin/awk", "-f\r")]
    public void A_line_names_an_interpreter_and_at_most_one_argument(string text, string interpreter, string argument)
    {
        Assert.True(InterpreterLine.TryParse(Encoding.ASCII.GetBytes(text), out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> word));
        Assert.Equal(interpreter, Encoding.ASCII.GetString(name));
        Assert.Equal(argument, Encoding.ASCII.GetString(word));
    }

    [Theory]
    [InlineData("")]
    [InlineData("#")]
    [InlineData("#!")]
    [InlineData("#!\n/bin/sh")]
    [InlineData("#! \t \n")]
    [InlineData("\u007fELF")]
    [InlineData("echo hello\n")]
    public void Anything_else_is_no_script(string text) =>
        Assert.False(InterpreterLine.TryParse(Encoding.ASCII.GetBytes(text), out _, out _));

    [Fact]
    public void A_path_that_the_256_byte_window_cuts_is_refused_but_a_cut_argument_is_not()
    {
        byte[] cut = Encoding.ASCII.GetBytes("#!/" + new string('a', 253));
        Assert.False(InterpreterLine.TryParse(cut, out _, out _));
        byte[] argument = Encoding.ASCII.GetBytes("#!/bin/sh " + new string('a', 246));
        Assert.True(InterpreterLine.TryParse(argument, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> word));
        Assert.Equal("/bin/sh", Encoding.ASCII.GetString(name));
        Assert.Equal(246, word.Length);
    }
}
