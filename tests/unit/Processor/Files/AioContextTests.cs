// Contexts of asynchronous input and output: the component's limit, room for events, and that nothing is left when their process goes.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed unsafe class AioContextTests : IDisposable
{
    private readonly FileSystemFixture _fixture = new();
    private readonly Process* _process = (Process*)NativeMemory.AllocZeroed((nuint)sizeof(Process));

    private AioContexts Contexts => _fixture.Files.Aio;

    public void Dispose()
    {
        NativeMemory.Free(_process);
        _fixture.Dispose();
    }

    [Fact]
    public void All_programs_together_may_ask_for_so_many_events()
    {
        Assert.Equal(Errno.EAGAIN, Contexts.Create(_process, AioContexts.MaxWanted + 1, out _));
        Assert.Equal(Errno.EINVAL, Contexts.Create(_process, 0x7FFF_FFFF, out _));
        Assert.Equal(Errno.None, Contexts.Create(_process, AioContexts.MaxWanted, out AioContext* context));
        Assert.Equal(Errno.EAGAIN, Contexts.Create(_process, 1, out _));
        Contexts.Destroy(context);
        Assert.Equal(0U, Contexts.Wanted);
        Assert.Equal(Errno.None, Contexts.Create(_process, 1, out _));
    }

    [Fact]
    public void Events_are_told_in_order_and_what_could_not_be_told_comes_first_again()
    {
        Assert.Equal(Errno.None, Contexts.Create(_process, 1, out AioContext* context));
        AioEvent* first = Contexts.NewEvent(context);
        AioEvent* second = Contexts.NewEvent(context);
        context->Add(first);
        context->Add(second);
        Assert.True(context->Take() == first && context->First == second);
        context->PutBack(first);
        Assert.True(context->Take() == first && context->Take() == second && context->First == null);
        context->PutBack(second);
        context->Add(first);
        Assert.True(context->Take() == second && context->Take() == first && context->Events == 0);
    }

    [Fact]
    public void A_context_takes_events_until_it_is_full_and_leaves_none_when_its_process_goes()
    {
        Assert.Equal(Errno.None, Contexts.Create(_process, 1, out AioContext* context));
        context->Id = 0x1000;
        uint count = 0;
        for (AioEvent* made = Contexts.NewEvent(context); made != null; made = Contexts.NewEvent(context))
        {
            context->Add(made);
            count++;
        }

        Assert.Equal(context->Capacity, count);
        AioContext* held = Contexts.Hold(_process, 0x1000);
        Contexts.Leave(_process);
        Assert.True(Contexts.Hold(_process, 0x1000) == null);
        Assert.Equal(1UL, Contexts.Count);
        Contexts.Release(held);
        Assert.Equal(0UL, Contexts.Count + Contexts.EventCount);
    }
}
