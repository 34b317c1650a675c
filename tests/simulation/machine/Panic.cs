// Simulation stand-in for kernel/machine: a panic is an exception that ends the run, so a seed that leads to one fails.

using System;
using System.Diagnostics.CodeAnalysis;

namespace Lego.Kernel;

/// <summary>What Panic.Because throws.</summary>
public sealed class PanicException(string reason) : Exception(reason);

public static class Panic
{
    [DoesNotReturn]
    public static void Because(string reason) => throw new PanicException(reason);
}
