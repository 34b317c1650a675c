// Who may speak for a vNode: only whom the manager has admitted, whatever the request asks.

using System;
using Lego.Fabric;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Fabric;

public sealed class VNodeTableTests
{
    private const ushort VNode = 3;

    [Fact]
    public void A_component_that_was_not_admitted_to_a_vNode_is_refused_and_counted()
    {
        VNodeTable table = new();
        Assert.Equal(Errno.None, table.Check(0, 1));
        Assert.Equal(Errno.EPERM, table.Check(VNode, 1));
        Assert.Equal(Errno.None, table.Admit(VNode, [1, 200]));
        Assert.Equal((Errno.None, Errno.None), (table.Check(VNode, 1), table.Check(VNode, 200)));
        Assert.Equal(Errno.EPERM, table.Check(VNode, 2));
        Assert.Equal(Errno.EPERM, table.Check(VNode + VNodeTable.Most, 1));
        Assert.Equal(3UL, table.Violations);
    }

    [Fact]
    public void A_number_is_refused_while_another_vNode_has_its_place()
    {
        VNodeTable table = new();
        Assert.Equal(Errno.None, table.Admit(VNode, [1]));
        Assert.Equal(Errno.EEXIST, table.Admit(VNode + VNodeTable.Most, [2]));
        table.Forget(VNode + VNodeTable.Most);
        Assert.Equal(Errno.None, table.Check(VNode, 1));
        table.Forget(VNode);
        Assert.Equal(Errno.EPERM, table.Check(VNode, 1));
        Assert.Equal(Errno.None, table.Admit(VNode + VNodeTable.Most, [2]));
        Assert.Equal(Errno.EINVAL, table.Admit(0, [2]));
    }

    [Fact]
    public void The_next_life_of_a_component_is_admitted_nowhere_and_others_stay()
    {
        VNodeTable table = new();
        Assert.Equal(Errno.None, table.Admit(VNode, [1, 2]));
        table.Departed(1);
        Assert.Equal(Errno.EPERM, table.Check(VNode, 1));
        Assert.Equal(Errno.None, table.Check(VNode, 2));
    }

    [Fact]
    public void A_manager_that_does_not_know_the_vNodes_yet_puts_off_and_accuses_nobody()
    {
        VNodeTable table = new() { IsLearning = true };
        Assert.Equal((Errno.EAGAIN, Errno.None), (table.Check(VNode, 1), table.Check(0, 1)));
        Assert.Equal(0UL, table.Violations);
        Assert.Equal(Errno.None, table.Admit(VNode, [1]));
        Assert.Equal(Errno.None, table.Check(VNode, 1));
        table.IsLearning = false;
        Assert.Equal(Errno.EPERM, table.Check(VNode, 2));
    }

    [Fact]
    public void The_components_that_may_speak_for_a_vNode_are_written_for_who_asks()
    {
        VNodeTable table = new();
        Assert.Equal(Errno.None, table.Admit(VNode, [200, 1, 63, 64]));
        Span<ushort> nodes = stackalloc ushort[RpcEndpoint.MaxNode];
        Assert.Equal([1, 63, 64, 200], nodes.Slice(0, table.WriteNodes(VNode, nodes)).ToArray());
        Assert.Equal(0, table.WriteNodes(VNode + VNodeTable.Most, nodes));
        Assert.Equal(0, table.WriteNodes(0, nodes));
    }
}
