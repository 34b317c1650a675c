// SipHash-2-4 against the authors' test vectors (Aumasson and Bernstein, 2012, appendix A; vectors.h of their reference implementation).

using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Unit.Kernel;

public sealed class SipHashTests
{
    private const ulong Key0 = 0x0706050403020100;
    private const ulong Key1 = 0x0F0E0D0C0B0A0908;

    [Fact]
    public void Two_words_have_the_hash_of_the_vector_of_sixteen_bytes() =>
        Assert.Equal(0x3F2ACC7F57C29BDBUL, new SipHash(Key0, Key1).Of(0x0706050403020100, 0x0F0E0D0C0B0A0908));

    [Fact]
    public void Another_key_has_another_hash() =>
        Assert.NotEqual(new SipHash(Key0, Key1).Of(1, 2), new SipHash(Key0, Key1 + 1).Of(1, 2));
}
