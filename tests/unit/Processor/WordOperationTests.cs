// FUTEX_WAKE_OP: what it does to the second word and which comparison decides (futex(2)).

using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed class WordOperationTests
{
    /// <summary>FUTEX_OP of linux/futex.h.</summary>
    private static uint Encode(uint operation, int argument, uint comparison, int comparand) =>
        (operation << 28) | (comparison << 24) | (((uint)argument & 0xFFF) << 12) | ((uint)comparand & 0xFFF);

    [Theory]
    [InlineData(0u, 7, 5u, 7u)]
    [InlineData(1u, -1, 5u, 4u)]
    [InlineData(2u, 8, 5u, 13u)]
    [InlineData(3u, 1, 5u, 4u)]
    [InlineData(4u, 7, 5u, 2u)]
    [InlineData(10u, 4, 0u, 16u)]
    public void The_word_changes_as_futex_2_says(uint operation, int argument, uint before, uint after)
    {
        Assert.True(WordOperation.TryDecode(Encode(operation, argument, 0, 0), out WordOperation decoded));
        Assert.Equal(after, decoded.Apply(before));
    }

    [Theory]
    [InlineData(0u, 5, 5u, true)]
    [InlineData(1u, 5, 5u, false)]
    [InlineData(2u, -1, 0xFFFF_FFFEu, true)]
    [InlineData(3u, 5, 5u, true)]
    [InlineData(4u, 5, 6u, true)]
    [InlineData(5u, 6, 5u, false)]
    public void The_old_value_is_compared_with_its_sign(uint comparison, int comparand, uint old, bool holds)
    {
        Assert.True(WordOperation.TryDecode(Encode(0, 0, comparison, comparand), out WordOperation decoded));
        Assert.Equal(holds, decoded.Compares(old));
    }

    [Fact]
    public void Unknown_operations_are_refused()
    {
        Assert.False(WordOperation.TryDecode(Encode(5, 0, 0, 0), out _));
        Assert.False(WordOperation.TryDecode(Encode(0, 0, 6, 0), out _));
    }
}
