// The address word of the boot line.

using System.Text;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor;

public sealed class AddressWordTests
{
    [Fact]
    public void Address_prefix_and_router_are_read()
    {
        Assert.True(AddressWord.TryParse("10.0.2.15/24,10.0.2.2"u8, out AddressWord word));
        Assert.Equal((0x0A00020Fu, 24, 0x0A000202u), (word.Address, word.PrefixBits, word.Router));
        Assert.True(AddressWord.TryParse("255.255.255.255/32,0.0.0.0"u8, out word));
        Assert.Equal((uint.MaxValue, 32, 0u), (word.Address, word.PrefixBits, word.Router));
    }

    [Theory]
    [InlineData("")]
    [InlineData("10.0.2.15")]
    [InlineData("10.0.2.15/24")]
    [InlineData("10.0.2.15/33,10.0.2.2")]
    [InlineData("10.0.2.256/24,10.0.2.2")]
    [InlineData("10.0.2/24,10.0.2.2")]
    [InlineData("10.0.2.15/24,10.0.2.2.")]
    [InlineData("10.0..15/24,10.0.2.2")]
    [InlineData("10.0.2.99999999999/24,10.0.2.2")]
    [InlineData("10.0.2.15/24 10.0.2.2")]
    public void Anything_else_is_refused(string text) => Assert.False(AddressWord.TryParse(Encoding.ASCII.GetBytes(text), out _));
}
