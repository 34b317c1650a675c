// Message queues of POSIX: order, who is served first, what they count against, and that nothing is left of one that has gone.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class PosixQueueTests : IDisposable
{
    private readonly FileSystemFixture _fixture = new();
    private readonly Process* _process = (Process*)NativeMemory.AllocZeroed((nuint)sizeof(Process));

    public PosixQueueTests()
    {
        _process->UserId = 1000;
        _process->EffectiveUserId = 1000;
        _process->FileSystemUserId = 1000;
        _process->Limits[2 * ResourceLimit.MessageQueues] = 819200;
    }

    public void Dispose()
    {
        NativeMemory.Free(_process);
        _fixture.Dispose();
    }

    [Fact]
    public void The_highest_priority_comes_first_and_of_each_the_oldest()
    {
        PosixQueue queue = new() { MaxMessages = 8 };
        long[] sent = [3, 1, 3, 7, 0, 7, 1, 9];
        Message* messages = stackalloc Message[sent.Length];
        for (int index = 0; index < sent.Length; index++)
        {
            messages[index] = new Message { Type = sent[index], LengthBytes = index };
            queue.Add(&messages[index]);
        }

        Assert.True(queue.IsFull);
        int[] expected = [7, 3, 5, 0, 2, 1, 6, 4];
        foreach (int index in expected)
        {
            Assert.True(queue.Take() == &messages[index]);
        }

        Assert.True(queue.IsEmpty && queue.Bytes == 0);
        queue.Add(&messages[4]);
        Assert.True(queue.Take() == &messages[4]);
    }

    [Fact]
    public void Of_those_who_wait_the_real_time_priority_goes_first_and_then_the_longest_wait()
    {
        PosixQueue queue = new() { MaxMessages = 1 };
        byte[] priorities = [0, 5, 0, 5];
        PosixQueueWaiter* waiters = stackalloc PosixQueueWaiter[priorities.Length];
        Message* messages = stackalloc Message[priorities.Length];
        for (int index = 0; index < priorities.Length; index++)
        {
            waiters[index] = new PosixQueueWaiter { Priority = priorities[index] };
            queue.Join(&waiters[index], receives: true);
        }

        queue.Leave(&waiters[2], receives: true);
        int[] expected = [1, 3, 0];
        foreach (int index in expected)
        {
            Assert.True(queue.TryHandOver(&messages[index]));
            Assert.True(waiters[index].IsDone && waiters[index].Message == &messages[index]);
        }

        Assert.False(queue.HasReceiver || queue.TryHandOver(&messages[0]) || waiters[2].IsDone);
    }

    [Fact]
    public void A_queue_with_messages_leaves_nothing_when_name_and_open_file_are_gone()
    {
        PosixQueues queues = _fixture.Files.Queues;
        MessageQueues store = _fixture.Files.Processes.Messages;
        Assert.Equal(Errno.None, queues.Create(_process, "one"u8, 0x1A4, 10, 100, out PosixQueue* queue));
        Assert.Equal(Errno.None, store.Make(_process, 0, 0, 5, out Message* message));
        Assert.Equal(Errno.None, queues.Send(_process, queue, message, isNonBlocking: true, ulong.MaxValue));
        OpenFile* file = PosixQueueFile.Open(_fixture.Files, queue, OpenFlags.ReadWrite);
        Assert.Equal(PollEvents.Readable | PollEvents.Writable, file->Operations.Poll(file));
        Assert.Equal(Errno.None, queues.Unlink(_process, "one"u8));
        Assert.True(queues.Find(0, "one"u8) == null);
        Assert.Equal(1UL, queues.Count);
        OpenFile.Release(file);
        Assert.Equal(0UL, queues.Count + store.MessageCount);
    }

    [Fact]
    public void A_users_queues_count_against_the_limit_until_they_have_gone_and_no_others()
    {
        PosixQueues queues = _fixture.Files.Queues;
        int made = 0;
        while (queues.Create(_process, [(byte)('a' + made)], 0, 10, 8192, out _) == Errno.None)
        {
            made++;
        }

        Assert.Equal(9, made);
        Assert.Equal(Errno.EMFILE, queues.Create(_process, "z"u8, 0, 10, 8192, out _));
        _process->UserId = 1001;
        Assert.Equal(Errno.None, queues.Create(_process, "z"u8, 0, 10, 8192, out _));
        queues.Clear();
        Assert.Equal(0UL, queues.Count);
    }
}
