// Filters of system calls: which programs may run, what they compute, and that a chain goes with its last user.

using System;
using System.Linq;
using Lego.Kernel;
using Lego.Processor;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Unit.Processor;

public sealed unsafe class FilterProgramTests : IDisposable
{
    private const ushort Load = 0x20;
    private const ushort Return = 0x06;
    private const ushort ReturnAccumulator = 0x16;
    private const ushort Divide = 0x3C;
    private const ushort JumpIfEqual = 0x15;
    private const uint Allow = 0x7FFF_0000;

    private readonly HostFrames _memory = new(megabytes: 4);
    private readonly SystemCallFilters _filters;

    public FilterProgramTests() => _filters = new SystemCallFilters(_memory.Allocator);

    public void Dispose() => _memory.Dispose();

    [Fact]
    public void A_program_sees_the_call_and_its_arguments()
    {
        FilterInput input = new() { Number = 39, Architecture = FilterInput.Architecture64 };
        input.Arguments[5] = 0x1234_5678_9ABC_DEF0;
        Assert.Equal(39U, Run(in input, Of(Load, 0), Of(ReturnAccumulator)));
        Assert.Equal(FilterInput.Architecture64, Run(in input, Of(Load, 4), Of(ReturnAccumulator)));
        Assert.Equal(0x9ABC_DEF0U, Run(in input, Of(Load, 56), Of(ReturnAccumulator)));
        Assert.Equal(0x1234_5678U, Run(in input, Of(Load, 60), Of(ReturnAccumulator)));
    }

    [Fact]
    public void Both_ways_of_a_jump_lead_on_and_never_out()
    {
        FilterInput input = new() { Number = 1 };
        FilterInstruction jump = new() { Code = JumpIfEqual, Operand = 1, IfFalse = 1 };
        Assert.Equal(5U, Run(in input, Of(Load, 0), jump, Of(Return, 5), Of(Return, 6)));
        input.Number = 2;
        Assert.Equal(6U, Run(in input, Of(Load, 0), jump, Of(Return, 5), Of(Return, 6)));
        Assert.Equal(Errno.EINVAL, Check(jump, Of(Return)));
        Assert.Equal(Errno.None, Check(jump, Of(Return), Of(Return)));
    }

    [Fact]
    public void A_division_by_zero_ends_the_program_with_nothing_allowed()
    {
        FilterInput input = default;
        Assert.Equal(0U, Run(in input, Of(Divide), Of(Return, Allow)));
    }

    [Fact]
    public void Programs_without_an_end_or_with_unknown_instructions_do_not_run()
    {
        Assert.Equal(Errno.EINVAL, Check(Of(Return), Of(Load)));
        for (int code = 0; code <= ushort.MaxValue; code++)
        {
            // Two of the classes load from packets, and remainders are not for filters: 40 codes are left.
            FilterInstruction instruction = new() { Code = (ushort)code, Operand = 0 };
            bool isKnown = Check(instruction, Of(Return)) == Errno.None;
            Assert.False(isKnown && code > 0xFF, $"{code:x}");
        }

        Assert.Equal(Errno.EINVAL, Check(Of(Load, 64), Of(Return)));
        Assert.Equal(Errno.EINVAL, Check(Of(Load, 2), Of(Return)));
        Assert.Equal(Errno.EINVAL, Check(Of(0x94, 3), Of(Return)));
    }

    [Fact]
    public void Every_program_that_passes_ends_within_its_length()
    {
        Random random = new(17);
        byte[] codes = [0x20, 0x80, 0x00, 0x60, 0x01, 0x61, 0x81, 0x02, 0x03, 0x06, 0x16, 0x07, 0x87, 0x05, 0x15, 0x25, 0x35, 0x45, 0x1D,
            0x4D, 0x04, 0x0C, 0x14, 0x24, 0x34, 0x3C, 0x44, 0x54, 0x64, 0x6C, 0x74, 0x7C, 0x84, 0xA4];
        FilterInput input = new() { Number = 3 };
        int passed = 0;
        for (int round = 0; round < 20000; round++)
        {
            FilterInstruction[] program = [.. Enumerable.Range(0, 12).Select(_ => new FilterInstruction
            {
                Code = codes[random.Next(codes.Length)],
                Operand = (uint)random.Next(8) * 4,
                IfTrue = (byte)random.Next(4),
                IfFalse = (byte)random.Next(4),
            }), Of(Return, Allow), Of(ReturnAccumulator)];
            if (Check(program) == Errno.None)
            {
                passed++;
                Run(in input, program);
            }
        }

        Assert.True(passed > 20);
    }

    [Fact]
    public void A_chain_goes_with_the_last_thread_that_has_it()
    {
        UserThread one = default;
        UserThread two = default;
        Assert.Equal(Errno.None, SystemCallFilters.Attach(&one, _filters.Create(600)));
        SystemCallFilters.Inherit(&one, &two);
        Assert.Equal(Errno.None, SystemCallFilters.Attach(&two, _filters.Create(1)));
        Assert.Equal((1UL, 2UL, 2UL), (SystemCallFilters.CountOf(&one), SystemCallFilters.CountOf(&two), _filters.Count));
        Assert.True(SystemCallFilters.MayReplace(&one, by: &two) && !SystemCallFilters.MayReplace(&two, by: &one));
        _filters.Leave(&one);
        Assert.Equal(2UL, _filters.Count);
        _filters.Leave(&two);
        Assert.Equal(0UL, _filters.Count);
    }

    private static FilterInstruction Of(ushort code, uint operand = 0) => new() { Code = code, Operand = operand };

    private SystemCallFilter* Make(FilterInstruction[] program)
    {
        SystemCallFilter* filter = _filters.Create(program.Length);
        for (int index = 0; index < program.Length; index++)
        {
            filter->Code[index] = program[index];
        }

        return filter;
    }

    private Errno Check(params FilterInstruction[] program)
    {
        SystemCallFilter* filter = Make(program);
        Errno error = FilterProgram.Check(filter, _memory.Allocator);
        _filters.Release(filter);
        return error;
    }

    private uint Run(in FilterInput input, params FilterInstruction[] program)
    {
        SystemCallFilter* filter = Make(program);
        Assert.Equal(Errno.None, FilterProgram.Check(filter, _memory.Allocator));
        uint said = FilterProgram.Run(filter, in input);
        _filters.Release(filter);
        return said;
    }
}
