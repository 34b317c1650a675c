// Objects of System V: who may use them, how many there may be, and that none outlives the component's life.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;
using Lego.Processor;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Unit.Processor;

public sealed unsafe class IpcTests : IDisposable
{
    private const uint Owner = 1000;
    private const uint Group = 50;

    private readonly HostFrames _memory = new(megabytes: 1);
    private readonly Process* _process = (Process*)NativeMemory.AllocZeroed((nuint)sizeof(Process));

    public IpcTests()
    {
        _process->EffectiveUserId = Owner + 1;
        _process->FileSystemGroupId = Owner + 1;
    }

    public void Dispose()
    {
        NativeMemory.Free(_process);
        _memory.Dispose();
    }

    [Fact]
    public void A_supplementary_group_counts_as_the_objects_group()
    {
        IpcObject head = new() { Mode = 0x1A0, UserId = Owner, CreatorUserId = Owner, GroupId = Group, CreatorGroupId = Owner };
        Assert.Equal(Errno.EACCES, head.Check(_process, IpcObject.ReadRights));
        _process->Groups[0] = Group;
        _process->GroupCount = 1;
        Assert.Equal(Errno.None, head.Check(_process, IpcObject.ReadRights));
        Assert.Equal(Errno.EACCES, head.Check(_process, IpcObject.WriteRights));
    }

    [Fact]
    public void No_object_is_given_to_user_or_group_minus_one()
    {
        IpcObject head = new() { UserId = Owner, GroupId = Group };
        Assert.Equal(Errno.EINVAL, head.Set(new IpcPermissionRecord { UserId = uint.MaxValue }));
        Assert.Equal(Errno.EINVAL, head.Set(new IpcPermissionRecord { GroupId = uint.MaxValue }));
        Assert.Equal(Owner, head.UserId);
    }

    [Fact]
    public void Empty_messages_of_all_queues_leave_memory_to_others()
    {
        MessageQueues queues = new(_memory.Allocator);
        ulong before = _memory.Allocator.FreePages;
        Errno error = Errno.None;
        while (error == Errno.None)
        {
            error = queues.Make(_process, 0, 0, 1, out _);
        }

        Assert.Equal(Errno.ENOMEM, error);
        Assert.True(_memory.Allocator.FreePages > before / 2);
    }

    [Fact]
    public void A_new_life_begins_without_sets_and_queues()
    {
        SemaphoreSets sets = new(_memory.Allocator);
        MessageQueues queues = new(_memory.Allocator);
        Assert.Equal(Errno.None, sets.Get(_process, 7, 3, IpcFlags.Create, out _));
        Assert.Equal(Errno.None, queues.Get(_process, 7, IpcFlags.Create, out int id));
        Assert.Equal(Errno.None, queues.Make(_process, 0, 0, 1, out Message* message));
        queues.Find(_process, id)->Add(message);
        sets.Clear();
        queues.Clear();
        Assert.Equal(0, sets.Table.Count + queues.Table.Count + sets.Total);
        Assert.Equal(0UL, queues.MessageCount);
    }

    [Fact]
    public void A_queue_keeps_its_order_whichever_message_is_taken()
    {
        MessageQueue queue = default;
        Message* messages = stackalloc Message[4];
        for (int index = 0; index < 4; index++)
        {
            messages[index] = new Message { Type = index + 1 };
            queue.Add(&messages[index]);
        }

        queue.Take(&messages[3]);
        queue.Take(&messages[0]);
        queue.Add(&messages[0]);
        queue.Take(&messages[1]);
        queue.Take(&messages[2]);
        queue.Take(&messages[0]);
        queue.Add(&messages[3]);
        Assert.True(queue.First == &messages[3] && queue.Last == queue.First && queue.Messages == 1);
    }
}
