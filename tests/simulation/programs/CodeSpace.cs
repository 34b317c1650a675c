// Which C# method stands behind an address that a program may continue at: entry points of executables, children's first steps, signal
// handlers.

using System;
using System.Collections.Generic;

namespace Lego.Simulation;

/// <summary>Methods by address; one for the rack, so that an address means the same in every process.</summary>
internal sealed class CodeSpace
{
    private const ulong FirstAddress = 0x0010_0000;
    private const ulong Spacing = 16;

    private readonly Dictionary<ulong, Action<UserProgram>> _programs = [];
    private readonly Dictionary<ulong, Action<UserProgram, int>> _handlers = [];
    private ulong _next = FirstAddress;

    /// <summary>The executable with this number runs this.</summary>
    internal void SetProgram(int number, Action<UserProgram> body) => _programs[StandInElf.EntryOf(number)] = body;

    /// <summary>An address that a child starts at.</summary>
    internal ulong AddContinuation(Action<UserProgram> body)
    {
        _programs[_next] = body;
        return Advance();
    }

    /// <summary>An address for sigaction(2).</summary>
    internal ulong AddHandler(Action<UserProgram, int> handler)
    {
        _handlers[_next] = handler;
        return Advance();
    }

    internal Action<UserProgram> ProgramAt(ulong address) => _programs.TryGetValue(address, out Action<UserProgram>? body)
        ? body
        : throw new CheckFailed($"a program continues at {address:x}, where nothing is");

    internal Action<UserProgram, int>? HandlerAt(ulong address) => _handlers.GetValueOrDefault(address);

    private ulong Advance()
    {
        ulong address = _next;
        _next += Spacing;
        return address;
    }
}
