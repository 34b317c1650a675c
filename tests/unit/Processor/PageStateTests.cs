using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed class PageStateTests
{
    [Fact]
    public void States_without_a_line_are_distinct_and_never_look_present_to_the_hardware()
    {
        ulong[] states = [PageState.Untouched, PageState.Remote, PageState.InFlight];
        Assert.Equal(3, new System.Collections.Generic.HashSet<ulong>(states).Count);
        Assert.All(states, state => Assert.False(PageState.IsPresent(state)));
        Assert.Equal(0UL, PageState.Untouched);
    }

    [Theory]
    [InlineData(Protection.None, false, false, false)]
    [InlineData(Protection.Read, true, false, false)]
    [InlineData(Protection.Read | Protection.Write, true, true, false)]
    [InlineData(Protection.Read | Protection.Execute, true, false, true)]
    [InlineData(Protection.Read | Protection.Write | Protection.Execute, true, true, true)]
    [InlineData(Protection.Write, true, true, false)]
    public void Entries_and_ranges_allow_the_same(Protection protection, bool reads, bool writes, bool executes)
    {
        ulong entry = PageState.Bits(protection);
        Assert.True(PageState.IsPresent(entry));
        Assert.Equal(reads, PageState.Allows(entry, MissAccess.Read));
        Assert.Equal(writes, PageState.Allows(entry, MissAccess.Write));
        Assert.Equal(executes, PageState.Allows(entry, MissAccess.Execute));
        Assert.Equal(reads, PageState.Allows(protection, MissAccess.Read));
        Assert.Equal(writes, PageState.Allows(protection, MissAccess.Write));
        Assert.Equal(executes, PageState.Allows(protection, MissAccess.Execute));
        Assert.Equal(0UL, entry & (PageTable.AddressMask | PageTable.Dirty));
    }
}
