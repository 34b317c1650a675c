// What system calls give back, also where files/ does their work: a count or an address, or an error as a small negative number (intro(2)).

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Results of system calls.</summary>
public static class CallResult
{
    /// <summary>The result that reports an error.</summary>
    public static long Fail(Errno error) => -(long)error;

    /// <summary><paramref name="value"/>, or the error when there is one.</summary>
    public static long Of(Errno error, long value = 0) => error == Errno.None ? value : Fail(error);
}
