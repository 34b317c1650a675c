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
    private readonly HostFrames _frames = new(megabytes: 8);
    private readonly Files _files = new();
    private readonly Backings _backings;
    private AddressSpace _space;

    public BackingsTests()
    {
        _backings = new Backings(_frames.Allocator) { Owner = _files };
    }

    public void Dispose() => _frames.Dispose();

    [Fact]
    public void A_file_is_held_as_long_as_some_range_of_some_space_names_it()
    {
        uint first = _backings.Create((void*)1);
        uint second = _backings.Create((void*)2);
        fixed (AddressSpace* space = &_space)
        {
            _backings.Add(space, first, BackingUse.Mapped);
            _backings.Add(space, second, BackingUse.Mapped);
            _backings.Add(space, second, BackingUse.Mapped);
            _backings.Drop(first);
            _backings.Drop(second);
            SetRanges(space, first, second, second);
            _backings.Release(Backings.Prune(space));
            Assert.Empty(_files.Released);

            AddressSpace child = default;
            Assert.Equal(Errno.None, _backings.Copy(space, &child));
            SetRanges(space, 0, second);
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
        uint program = _backings.Create((void*)1);
        fixed (AddressSpace* space = &_space)
        {
            Assert.False(_backings.IsProgram(program));
            _backings.Add(space, program, BackingUse.Program);
            _backings.Add(space, program, BackingUse.Mapped);
            _backings.Drop(program);
            SetRanges(space);
            _backings.Release(Backings.Prune(space));
            Assert.True(_backings.IsProgram(program));
            Assert.True(_backings.FileOf(program) == (void*)1);
            _backings.Release(space->Backings);
            Assert.False(_backings.IsProgram(program));
            Assert.Equal([1], _files.Released);
        }
    }

    [Fact]
    public void Numbers_are_used_again_and_run_out()
    {
        HashSet<uint> numbers = [];
        for (uint number = _backings.Create((void*)1); number != 0; number = _backings.Create((void*)1))
        {
            Assert.True(numbers.Add(number));
        }

        _backings.Drop(5);
        Assert.Equal(5u, _backings.Create((void*)2));
        Assert.Equal(0u, _backings.Create((void*)3));
    }

    private void SetRanges(AddressSpace* space, params uint[] backings)
    {
        VmaRecord[] ranges = new VmaRecord[backings.Length];
        for (int index = 0; index < ranges.Length; index++)
        {
            ulong start = 0x10000UL * (ulong)(index + 1);
            ranges[index] = new VmaRecord { Start = start, End = start + 0x1000, Kind = VmaKind.File, Backing = backings[index] };
        }

        Assert.Equal(Errno.None, space->Apply(_frames.Allocator, (uint)ranges.Length, 0, MemoryMarshal.AsBytes(ranges.AsSpan())));
    }

    /// <summary>Remembers what nobody maps any more.</summary>
    private sealed class Files : BackingOwner
    {
        internal readonly List<int> Released = [];

        public override Errno OpenProgram(Process* process, ReadOnlySpan<byte> path, Span<byte> reply, out OpenReply found, out int pathLength,
            out uint backing) => throw new NotSupportedException();

        public override void Release(void* file) => Released.Add((int)file);
    }
}
