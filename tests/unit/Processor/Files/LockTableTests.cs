// The lock table against a model that keeps a lock type for every byte and owner, and its search for circles of waiters.

using System;
using System.Collections.Generic;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class LockTableTests
{
    private const int Bytes = 40;
    private const int Owners = 3;

    private static FileLock Wanted(int owner, LockType type, int first, int last) => new()
    {
        File = new LockedFile(2, new FileHandle { Inode = 12, Generation = 1 }),
        Owner = new LockOwner((ulong)owner, isOpenFile: false),
        ProcessId = (uint)(100 + owner),
        Type = type,
        First = (ulong)first,
        Last = (ulong)last,
    };

    private static LockOwner Owner(int number) => new((ulong)number, isOpenFile: false);

    [Fact]
    public void Random_locks_leave_what_a_model_of_single_bytes_says()
    {
        using FileSystemFixture fixture = new();
        LockTable table = new(fixture.Frames);
        Random random = new(20261127);
        LockType[,] model = new LockType[Owners, Bytes];
        for (int owner = 0; owner < Owners; owner++)
        {
            for (int at = 0; at < Bytes; at++)
            {
                model[owner, at] = LockType.Unlock;
            }
        }

        for (int step = 0; step < 20_000; step++)
        {
            int owner = random.Next(Owners);
            int first = random.Next(Bytes);
            int last = first + random.Next(Bytes - first);
            LockType type = (LockType)random.Next(3);
            FileLock wanted = Wanted(owner, type, first, last);
            bool conflicts = false;
            for (int other = 0; other < Owners; other++)
            {
                for (int at = first; at <= last && other != owner; at++)
                {
                    LockType held = model[other, at];
                    conflicts |= held != LockType.Unlock && (held == LockType.Write || type == LockType.Write);
                }
            }

            if (type != LockType.Unlock)
            {
                Assert.Equal(conflicts, table.TryFindConflict(in wanted, out _));
            }

            if (type == LockType.Unlock || !conflicts)
            {
                Assert.Equal(Errno.None, table.Set(wanted));
                for (int at = first; at <= last; at++)
                {
                    model[owner, at] = type;
                }
            }

            Assert.Equal(RunsOf(model), table.Count);
        }

        for (int owner = 0; owner < Owners; owner++)
        {
            FileLock any = Wanted(owner, LockType.Write, 0, 0);
            table.Release(in any.File, any.Owner, LockFamily.Record);
        }

        Assert.Equal(0UL, table.Count);
    }

    [Fact]
    public void A_lock_on_one_file_or_of_one_family_is_in_nobody_elses_way()
    {
        using FileSystemFixture fixture = new();
        LockTable table = new(fixture.Frames);
        table.Set(Wanted(1, LockType.Write, 0, 100));
        FileLock other = Wanted(2, LockType.Write, 0, 100);
        Assert.True(table.TryFindConflict(in other, out FileLock conflict));
        Assert.Equal(101U, conflict.ProcessId);
        other.Family = LockFamily.Whole;
        Assert.False(table.TryFindConflict(in other, out _));
        other.Family = LockFamily.Record;
        other.File = new LockedFile(2, new FileHandle { Inode = 12, Generation = 2 });
        Assert.False(table.TryFindConflict(in other, out _));
    }

    [Fact]
    public void A_wait_that_closes_a_circle_is_a_deadlock_and_leaves_no_trace()
    {
        using FileSystemFixture fixture = new();
        LockTable table = new(fixture.Frames);
        LockTable.Waiter first = default;
        LockTable.Waiter second = default;
        LockTable.Waiter third = default;
        Assert.Equal(Errno.None, table.BeginWait(&first, Owner(1), Owner(2)));
        Assert.Equal(Errno.None, table.BeginWait(&second, Owner(2), Owner(3)));
        Assert.Equal(Errno.EDEADLK, table.BeginWait(&third, Owner(3), Owner(1)));
        Assert.Equal(Errno.None, table.BeginWait(&third, Owner(4), Owner(1)));
        table.EndWait(&first);
        LockTable.Waiter fourth = default;
        Assert.Equal(Errno.None, table.BeginWait(&fourth, Owner(3), Owner(1)));
        table.EndWait(&second);
        table.EndWait(&fourth);
        table.EndWait(&third);
        Assert.Equal(Errno.None, table.BeginWait(&first, Owner(1), Owner(4)));
    }

    /// <summary>Runs of bytes of one owner and type: the locks that there must be, neighbours joined.</summary>
    private static ulong RunsOf(LockType[,] model)
    {
        ulong runs = 0;
        for (int owner = 0; owner < Owners; owner++)
        {
            LockType before = LockType.Unlock;
            for (int at = 0; at < Bytes; at++)
            {
                LockType type = model[owner, at];
                runs += type != LockType.Unlock && type != before ? 1UL : 0;
                before = type;
            }
        }

        return runs;
    }
}
