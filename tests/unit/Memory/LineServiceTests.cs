// Pages as they travel: misses, what is written back, and what memory that has run out does to both.

using System.Linq;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Memory;

public sealed unsafe class LineServiceTests : MemoryMonitorFixture
{
    [Fact]
    public void Written_back_pages_come_back_also_when_the_flush_rides_on_a_miss()
    {
        Start(5);
        ulong address = Map(5, 64 * Page);
        Assert.Equal(Errno.None, Flush(5, (address, 1), (address + Page, 2)));
        Assert.Equal(Errno.None, MissFlush(5, address, 5, address + (2 * Page), 3, out byte[] page));
        Assert.Equal(Filled(1), page);
        Assert.Equal(Errno.None, MissFlush(5, address + Page, 5, address, 4, out page));
        Assert.Equal(Filled(2), page);
        Assert.Equal(Errno.None, Miss(5, address, MissAccess.Read, out page));
        Assert.Equal(Filled(4), page);
        Assert.Equal(Errno.None, Miss(5, address + (2 * Page), MissAccess.Read, out page));
        Assert.Equal(Filled(3), page);
        Assert.Equal(4UL, Counter("memory.pages_written_back"));
        Assert.Equal(0UL, Counter("memory.violations"));
    }

    [Fact]
    public void A_page_that_several_spaces_write_back_comes_once_and_takes_one_frame_until_one_of_them_changes_it()
    {
        Start(5);
        ulong address = Map(5, 4 * Page);
        Assert.Equal(Errno.None, Flush(5, (address, 1)));
        Assert.Equal(Errno.None, Space(Opcode.Fork, 5, new ForkRequest { ChildAsid = 6 }, [], out _, out _));
        ulong frames = Counter("memory.frames_used");
        FlushEntry[] owners = [new() { Address = address, Asid = 5 }, new() { Address = address, Asid = 6 }];
        Assert.Equal(Errno.None, FlushToAll(owners, 7));
        Assert.Equal(frames, Counter("memory.frames_used"));
        Assert.Equal(Filled(7), Missed(5, address));
        Assert.Equal(Filled(7), Missed(6, address));
        Assert.Equal(Errno.None, Flush(6, (address, 8)));
        Assert.Equal(Filled(7), Missed(5, address));
        Assert.Equal(Filled(8), Missed(6, address));
        // A child that is not there yet gets what its parent has.
        owners[1].Asid = 9;
        Assert.Equal(Errno.ESRCH, FlushToAll(owners, 9));
        Assert.Equal(Errno.None, Space(Opcode.Fork, 5, new ForkRequest { ChildAsid = 9 }, [], out _, out _));
        Assert.Equal(Filled(9), Missed(9, address));
        owners[1].Page = 1;
        Assert.Equal(Errno.EPROTO, FlushToAll(owners, 1));
        foreach (uint asid in new uint[] { 5, 6, 9 })
        {
            Assert.Equal(Errno.None, Exit(asid));
        }

        Assert.Equal(0UL, Counter("memory.frames_used"));
    }

    [Fact]
    public void Every_access_is_checked_against_space_mapping_and_protection()
    {
        Start(5);
        ulong address = Map(5, 4 * Page, Protection.Read);
        ulong writable = Map(5, 4 * Page);
        ulong violations = Counter("memory.violations");
        Assert.Equal(Errno.EACCES, Miss(5, address, MissAccess.Write, out _));
        Assert.Equal(Errno.EACCES, Miss(5, writable, MissAccess.Execute, out _));
        Assert.Equal(Errno.EACCES, Flush(5, (address, 1)));
        Assert.Equal(Errno.ESRCH, Miss(99, address, MissAccess.Read, out _));
        Assert.Equal(Errno.ESRCH, Miss(5, address, MissAccess.Read, out _, vnode: 2));
        Assert.Equal(Errno.EFAULT, Flush(5, (0x1234_5000, 1)));
        Assert.Equal(Errno.EPROTO, Raw(Opcode.MissFlush, 5, new byte[100]));
        Assert.Equal(Errno.EPROTO, Raw(Opcode.Flush, 5, [255, 255, 255, 255, 0, 0, 0, 0]));
        Assert.Equal(Errno.EPROTO, Raw(Opcode.Miss, 5, []));
        Assert.Equal(violations + 9, Counter("memory.violations"));
        Assert.Equal(Errno.EFAULT, Miss(5, 0x1234_5000, MissAccess.Read, out _));
        // A victim that another component may have a place for is refused, and the miss with it; a dead one does not harm it.
        Assert.Equal(Errno.EREMOTE, MissFlush(5, writable, 99, writable, 1, out _));
        Assert.Equal(Errno.None, MissFlush(5, writable, 5, 0x1234_5000, 1, out byte[] page));
        Assert.Empty(page);
        RangeRequest protect = new() { Address = writable, Length = Page, Protection = Protection.Read };
        Assert.Equal(Errno.None, Space(Opcode.Protect, 5, protect, [], out _, out _));
        // Written before the mprotect, written back after it.
        Assert.Equal(Errno.None, Flush(5, (writable, 3)));
        Assert.Equal(Filled(3), Missed(5, writable));
    }

    [Fact]
    public void The_victim_of_a_miss_that_fails_is_taken_over_all_the_same()
    {
        FileHandle handle = Storage.Add("/mapped", new byte[20 * Page]);
        Start(5);
        ulong memory = Map(5, Page);
        MapRequest request = MapOf(4 * Page, Protection.Read);
        request.Flags = (uint)MapFlags.Private;
        request.File = handle;
        request.Storage = S;
        request.PathLength = 7;
        Assert.Equal(Errno.None, Space(Opcode.Map, 5, request, "/mapped\0"u8.ToArray(), out ulong address, out _));
        Storage.Files.Remove(handle.Inode);
        Assert.Equal(Errno.ESTALE, MissFlush(5, address, 5, memory, 3, out _));
        Assert.Equal(Filled(3), Missed(5, memory));
        Assert.Equal(Errno.EFAULT, MissFlush(5, 0x1234_5000, 5, memory, 4, out _));
        Assert.Equal(Filled(4), Missed(5, memory));
    }

    [Fact]
    public void When_memory_is_exhausted_the_processor_component_is_told()
    {
        Start(5);
        ulong address = Map(5, 1UL << 30);
        Errno error = Errno.None;
        ulong stored = 0;
        while (error == Errno.None)
        {
            error = Flush(5, (address + (stored * Page), 1));
            stored++;
        }

        Assert.Equal(Errno.ENOMEM, error);
        Assert.InRange(stored, 6000UL, 8192UL);
        Assert.Equal(Errno.None, Exit(5));
        Start(6);
        Assert.Equal(Errno.None, Flush(6, (Map(6, Page), 1)));
    }
}
