// Address spaces at the memory monitor: their ranges, programs, forks, breaks and ends.

using System;
using System.Linq;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Memory;

public sealed unsafe class SpaceServiceTests : MemoryMonitorFixture
{
    [Fact]
    public void Discarded_pages_are_zero_again_and_their_mapping_stays()
    {
        Start(1);
        ulong address = Map(1, 4 * Page);
        Assert.Equal(Errno.None, Flush(1, (address, 1), (address + Page, 2), (address + (2 * Page), 3)));
        RangeRequest request = new() { Address = address + Page, Length = Page };
        Assert.Equal(Errno.None, Space(Opcode.Discard, 1, request, [], out _, out VmaRecord[] vmas));
        Assert.Contains(vmas, vma => vma.Start == address && vma.End == address + (4 * Page));
        Assert.Equal(1, Missed(1, address)[0]);
        Assert.Empty(Missed(1, address + Page));
        Assert.Equal(3, Missed(1, address + (2 * Page))[0]);
    }

    [Fact]
    public void A_refused_request_answers_with_the_ranges_as_they_are()
    {
        Start(1);
        ulong address = Map(1, 4 * Page);
        Assert.Equal(Errno.None,
            Space(Opcode.Unmap, 1, new RangeRequest { Address = address + (2 * Page), Length = Page }, [], out _, out _));
        RangeRequest protect = new() { Address = address, Length = 4 * Page, Protection = Protection.Read };
        Assert.Equal(Errno.ENOMEM, Space(Opcode.Protect, 1, protect, [], out _, out VmaRecord[] vmas));
        Assert.Contains(vmas, vma => vma.Start == address && vma.End == address + (2 * Page) && vma.Protection == Protection.Read);
        Assert.Contains(vmas, vma => vma.Start == address + (3 * Page) && vma.Protection == (Protection.Read | Protection.Write));
    }

    [Fact]
    public void A_space_has_as_many_ranges_as_max_map_count_tells_and_a_reply_has_them_all()
    {
        Start(1);
        ulong address = Map(1, 2UL * SpaceReply.MaxRanges * Page);
        Errno error = Errno.None;
        VmaRecord[] vmas = [];
        for (ulong page = 1; error == Errno.None; page += 2)
        {
            RangeRequest split = new() { Address = address + (page * Page), Length = Page, Protection = Protection.Read };
            error = Space(Opcode.Protect, 1, split, [], out _, out vmas);
        }

        Assert.Equal(Errno.ENOMEM, error);
        Assert.InRange((uint)vmas.Length, SpaceReply.MaxRanges - 2, SpaceReply.MaxRanges);
    }

    [Fact]
    public void A_break_below_the_heap_or_far_beyond_all_memory_changes_nothing()
    {
        Start(1);
        ulong start = Break(1, 0);
        Assert.Equal(start + Page, Break(1, start + Page));
        Assert.Equal(start + Page, Break(1, start - (8 * Page)));
        Assert.Equal(start + Page, Break(1, start + (1UL << 46)));
        Assert.Equal(start + Page, Break(1, 0));
    }

    [Fact]
    public void The_spaces_of_a_processor_component_end_with_its_life_and_the_next_one_finds_their_names_free()
    {
        Start(1);
        ulong address = Map(1, 4 * Page);
        Assert.Equal(Errno.None, Flush(1, (address, 1), (address + Page, 2)));
        Assert.Equal(Errno.None, Space(Opcode.Fork, 1, new ForkRequest { ChildAsid = 2 }, [], out _, out _));
        Assert.Equal(2UL, Counter("memory.spaces"));
        Endpoint.Watch(new Departures(Monitor));
        Processor.BeginLife(77);
        Assert.Equal(Errno.EPERM, Miss(2, address, MissAccess.Read, out _));
        Endpoint.VNodes.Admit(1, [P, M]);
        Start(1);
        Assert.Equal(1UL, Counter("memory.spaces"));
        Assert.Equal(Errno.ESRCH, Miss(2, address, MissAccess.Read, out _));
        Assert.Equal(Errno.None, Exit(1));
        Assert.Equal(0UL, Counter("memory.spaces"));
        Assert.Equal(0UL, Counter("memory.frames_used"));
    }

    [Fact]
    public void A_program_is_loaded_and_its_pages_travel_only_when_they_are_missed()
    {
        byte[] program = SmallProgram();
        Storage.Add("/bin/program", program);
        Errno error = Execute(5, "/bin/program", out ExecuteReply reply, out VmaRecord[] vmas, out RegionRecord[] regions);
        Assert.Equal(Errno.None, error);
        Assert.Contains(vmas, vma => vma.Kind == VmaKind.Stack && vma.End == AddressLayout.StackTop);
        Assert.All(regions, region => Assert.Equal(M, region.Owner));
        Assert.Empty(Manager.Consultations);
        Assert.Equal(Errno.None, Miss(5, 0x40_0000, MissAccess.Execute, out byte[] page));
        Assert.Equal(program.AsSpan(0, Page).ToArray(), page);
        Assert.Equal(AddressLayout.StackTop, reply.StackTop);
        Assert.Equal(Errno.None, Miss(5, reply.StackTop - Page, MissAccess.Write, out page));
        Assert.Empty(page);
        Assert.Equal(Errno.None, Miss(5, 0x40_3000, MissAccess.Write, out page));
        Assert.Empty(page);
        Assert.Equal(Errno.None, Exit(5));
        Assert.Equal(0UL, Counter("memory.frames_used"));
        Assert.Equal(Errno.ESRCH, Miss(5, 0x40_0000, MissAccess.Read, out _));
    }

    [Fact]
    public void Parent_and_child_each_see_their_own_pages_after_fork()
    {
        Start(5);
        ulong address = Map(5, 64 * Page);
        Assert.Equal(Errno.None, Flush(5, (address, 1), (address + Page, 2)));
        ulong frames = Counter("memory.frames_used");
        ForkRequest fork = default;
        fork.ChildAsid = 6;
        Assert.Equal(Errno.None, Space(Opcode.Fork, 5, fork, [], out _, out VmaRecord[] vmas));
        Assert.Contains(vmas, vma => vma.Start == address);
        Assert.Equal(frames, Counter("memory.frames_used"));
        Assert.Equal(Errno.None, Flush(6, (address, 7)));
        Assert.Equal(Errno.None, Flush(5, (address + Page, 8)));
        Assert.Equal(Filled(1), Missed(5, address));
        Assert.Equal(Filled(8), Missed(5, address + Page));
        Assert.Equal(Filled(7), Missed(6, address));
        Assert.Equal(Filled(2), Missed(6, address + Page));
        Assert.Equal(Errno.None, Exit(5));
        Assert.Equal(Filled(2), Missed(6, address + Page));
        Assert.Equal(Errno.None, Exit(6));
        Assert.Equal(0UL, Counter("memory.frames_used"));
    }

    [Fact]
    public void The_manager_is_asked_once_for_all_new_regions_and_the_home_keeps_those_of_whoever_does_not_answer()
    {
        Start(5);
        int before = Manager.Consultations.Count;
        ulong big = Map(5, 3UL << 30);
        Assert.Equal(before + 1, Manager.Consultations.Count);
        Assert.InRange(Manager.Consultations[^1].Count, 3U, 4U);
        Assert.Equal(1UL << 30, Manager.Consultations[^1].RegionBytes);
        Assert.Equal(Errno.None, Miss(5, big, MissAccess.Read, out _));
        Map(5, 100 * Page);
        Assert.Equal(before + 1, Manager.Consultations.Count);
        Manager.Owner = 77;
        MapRequest request = MapOf(5UL << 30, Protection.Read);
        Assert.Equal(Errno.None, Space(Opcode.Map, 5, request, [], out ulong kept, out _));
        Assert.Equal(Errno.None, Miss(5, kept, MissAccess.Read, out _));
        Assert.NotEqual(0UL, Counter("memory.runs_kept"));
        Assert.Equal(Errno.None, Miss(5, big, MissAccess.Read, out _));
    }

    [Fact]
    public void The_break_moves_by_linux_rules_and_answers_where_it_is()
    {
        Start(5);
        ulong start = Break(5, 0);
        Assert.Equal(0UL, start % Page);
        Assert.Equal(start + 10, Break(5, start + 10));
        Assert.Equal(start + (5 * Page), Break(5, start + (5 * Page)));
        Assert.Equal(Errno.None, Flush(5, (start + (4 * Page), 6)));
        Assert.Equal(Filled(6), Missed(5, start + (4 * Page)));
        Assert.Equal(start + Page, Break(5, start + Page));
        Assert.Equal(Errno.EFAULT, Miss(5, start + (4 * Page), MissAccess.Read, out _));
        Assert.Equal(start + (5 * Page), Break(5, start + (5 * Page)));
        Assert.Empty(Missed(5, start + (4 * Page)));
        Assert.Equal(start + (5 * Page), Break(5, start - Page));
        Assert.Equal(start + (5 * Page), Break(5, ulong.MaxValue));
        MapRequest obstacle = MapOf(Page, Protection.Read);
        obstacle.Address = start + (8 * Page);
        obstacle.Flags |= (uint)MapFlags.Fixed;
        Assert.Equal(Errno.None, Space(Opcode.Map, 5, obstacle, [], out _, out _));
        Assert.Equal(start + (5 * Page), Break(5, start + (9 * Page)));
        Assert.Equal(start + (7 * Page), Break(5, start + (7 * Page)));
        Assert.Equal(start + (7 * Page), Break(5, start + (8 * Page)));
    }
}
