// What may be believed of what is remembered, and what may not (LeaseClock.cs).

using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed class LeaseClockTests
{
    private static readonly uint s_key = LeaseKey.Attributes(12);
    private static readonly uint s_other = LeaseKey.Attributes(13);

    [Fact]
    public void An_answer_that_was_on_its_way_at_a_call_back_is_not_believed()
    {
        using FileSystemFixture fixture = new();
        LeaseClock clock = new(fixture.Frames);
        ulong before = clock.Now;
        clock.Forget(s_key);
        Assert.False(Holds(clock, before, s_key));
        Assert.True(Holds(clock, before, s_other));
        Assert.True(Holds(clock, clock.Now, s_key));
    }

    [Fact]
    public void An_own_change_of_a_file_is_believed_neither_while_it_lasts_nor_from_before()
    {
        using FileSystemFixture fixture = new();
        LeaseClock clock = new(fixture.Frames);
        ulong before = clock.Now;
        clock.BeginChange(s_key);
        Assert.False(Holds(clock, clock.Now, s_key));
        Assert.True(Holds(clock, before, s_other));
        clock.EndChange(s_key);
        Assert.False(Holds(clock, before, s_key));
        Assert.True(Holds(clock, clock.Now, s_key));
    }

    [Fact]
    public void While_names_change_nothing_is_believed_and_afterwards_all_but_what_changed()
    {
        using FileSystemFixture fixture = new();
        LeaseClock clock = new(fixture.Frames);
        ulong before = clock.Now;
        clock.BeginChange();
        Assert.False(Holds(clock, before, s_other));
        LeaseKeys changed = default;
        changed.Add(s_key);
        clock.EndChange(Errno.None, ref changed);
        Assert.False(Holds(clock, before, s_key));
        Assert.True(Holds(clock, before, s_other));
    }

    [Theory]
    [InlineData(Errno.EEXIST, true)]
    [InlineData(Errno.EHOSTDOWN, false)]
    [InlineData(Errno.ETIMEDOUT, false)]
    [InlineData(Errno.ENOSPC, false)]
    public void A_change_that_failed_somewhere_on_its_way_may_have_changed_anything(Errno error, bool isBelieved)
    {
        using FileSystemFixture fixture = new();
        LeaseClock clock = new(fixture.Frames);
        ulong before = clock.Now;
        clock.BeginChange();
        LeaseKeys changed = default;
        clock.EndChange(error, ref changed);
        Assert.Equal(isBelieved, Holds(clock, before, s_other));
    }

    private static bool Holds(LeaseClock clock, ulong moment, uint key) => clock.Holds(moment, LeaseClock.SlotOf(key));
}
