// The error type is Linux's; a few values that programs depend on.

using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Kernel;

public sealed class ErrnoTests
{
    [Theory]
    [InlineData(Errno.ENOENT, 2)]
    [InlineData(Errno.EFAULT, 14)]
    [InlineData(Errno.ENOSYS, 38)]
    [InlineData(Errno.ETIMEDOUT, 110)]
    [InlineData(Errno.EHOSTDOWN, 112)]
    public void Errors_have_the_numbers_of_Linux(Errno error, int number) => Assert.Equal(number, (int)error);
}
