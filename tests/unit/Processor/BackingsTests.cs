// Which files address spaces hold for their ranges and programs.

using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class BackingsTests : IDisposable
{
    private readonly ExCacheFixture _machine = new(lines: 8, ways: 8, PolicyKind.Fifo);
    private readonly Files _files = new();
    private readonly Backings _backings;
    private AddressSpace _space;

    public BackingsTests()
    {
        _backings = new Backings(_machine.Frames, _machine.Cache) { Owner = _files };
    }

    public void Dispose() => _machine.Dispose();

    [Fact]
    public void A_file_is_held_as_long_as_some_range_of_some_space_names_it()
    {
        const uint First = 1;
        const uint Second = 2;
        _backings.Create((void*)1, First);
        _backings.Create((void*)2, Second);
        fixed (AddressSpace* space = &_space)
        {
            _backings.Add(space, First, BackingUse.Mapped);
            _backings.Add(space, Second, BackingUse.Mapped);
            _backings.Add(space, Second, BackingUse.Mapped);
            _backings.Drop(First);
            _backings.Drop(Second);
            SetRanges(space, First, Second, Second);
            _backings.Release(Backings.Prune(space));
            Assert.Empty(_files.Released);

            AddressSpace child = default;
            Assert.Equal(Errno.None, _backings.Copy(space, &child));
            SetRanges(space, 0, Second);
            _backings.Release(Backings.Prune(space));
            Assert.Empty(_files.Released);
            _backings.Release(child.Backings);
            Assert.Equal([1], _files.Released);
            SetRanges(space);
            _backings.Release(Backings.Prune(space));
            Assert.Equal([1, 2], _files.Released);
            Assert.True(space->Backings == null);
        }
    }

    [Fact]
    public void A_program_is_held_until_its_last_space_ends_even_if_nothing_of_it_is_mapped()
    {
        const uint Program = 7;
        _backings.Create((void*)1, Program);
        fixed (AddressSpace* space = &_space)
        {
            Assert.False(_backings.IsProgram(Program));
            _backings.Add(space, Program, BackingUse.Program);
            _backings.Add(space, Program, BackingUse.Mapped);
            _backings.Drop(Program);
            SetRanges(space);
            _backings.Release(Backings.Prune(space));
            Assert.True(_backings.IsProgram(Program));
            Assert.True(_backings.FileOf(Program) == (void*)1);
            _backings.Release(space->Backings);
            Assert.False(_backings.IsProgram(Program));
            Assert.Equal([1], _files.Released);
        }
    }

    private void SetRanges(AddressSpace* space, params uint[] backings)
    {
        VmaRecord[] ranges = new VmaRecord[backings.Length];
        for (int index = 0; index < ranges.Length; index++)
        {
            ulong start = 0x10000UL * (ulong)(index + 1);
            ranges[index] = new VmaRecord { Start = start, End = start + 0x1000, Kind = VmaKind.File, Backing = backings[index] };
        }

        Assert.Equal(Errno.None, space->Apply(_machine.Frames, (uint)ranges.Length, 0, MemoryMarshal.AsBytes(ranges.AsSpan())));
    }

    /// <summary>Remembers what nobody maps any more.</summary>
    private sealed class Files : BackingOwner
    {
        internal readonly List<int> Released = [];

        public override Errno OpenProgram(Process* process, ReadOnlySpan<byte> path, Span<byte> reply, out OpenReply found,
            out int pathLength,
            out uint backing) => throw new NotSupportedException();

        public override void Release(void* file) => Released.Add((int)file);
    }
}
