// Host stand-in for kernel/machine: a panic is an exception, so that a test can expect one.

using System;
using System.Diagnostics.CodeAnalysis;

namespace Lego.Kernel;

/// <summary>What Panic.Because throws on the host.</summary>
public sealed class PanicException(string reason) : Exception(reason);

public static class Panic
{
    [DoesNotReturn]
    public static void Because(string reason) => throw new PanicException(reason);
}
