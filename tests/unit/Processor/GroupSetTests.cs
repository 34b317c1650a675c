// Many supplementary groups: their order, whether one is among them, and that their memory comes back.

using System;
using System.Linq;
using Lego.Fabric.Messages;
using Lego.Processor;
using Lego.Tests.Common;
using Xunit;

namespace Lego.Tests.Processor;

public sealed unsafe class GroupSetTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(33)]
    [InlineData(1000)]
    [InlineData(GroupSet.Most)]
    public void Groups_are_put_into_ascending_order(int count)
    {
        Random random = new(count);
        uint[] groups = [.. Enumerable.Range(0, count).Select(_ => (uint)random.Next(0, Math.Max(1, count / 2)) * 3)];
        uint[] expected = [.. groups.Order()];
        GroupSet.Sort(groups);
        Assert.Equal(expected, groups);
    }

    [Theory]
    [InlineData(GroupList.Most - 1)]
    [InlineData(GroupList.Most)]
    [InlineData(GroupList.Most + 1)]
    [InlineData(64)]
    [InlineData(1000)]
    public void A_group_is_found_among_any_number_of_others(int count)
    {
        uint[] groups = [.. Enumerable.Range(0, count).Select(index => (uint)index * 2)];
        for (uint group = 0; group < (uint)(2 * count) + 2; group++)
        {
            Assert.Equal(groups.Contains(group), GroupList.Has(groups, group));
        }
    }

    [Theory]
    [InlineData(33)]
    [InlineData(1022)]
    [InlineData(1023)]
    [InlineData(GroupSet.Most)]
    public void A_set_holds_all_its_groups_and_goes_with_its_last_user(int count)
    {
        using HostFrames frames = new(megabytes: 4);
        ulong free = frames.Allocator.FreePages;
        GroupSet* set = GroupSet.Make(frames.Allocator, count);
        GroupSet.Of(set).Fill(uint.MaxValue);
        Assert.Equal(count, GroupSet.Of(set).Length);
        GroupSet.Release(frames.Allocator, GroupSet.Hold(set));
        Assert.True(frames.Allocator.FreePages < free);
        GroupSet.Release(frames.Allocator, set);
        Assert.Equal(free, frames.Allocator.FreePages);
    }
}
