// Tests that compare a program of root's on a rack, where every program starts as root, with its run on the host: the host's Linux judges
// only what it lets this user do. Without its root they are skipped, and counted as such.

using System;
using Xunit;

namespace Lego.Rack.Tests;

/// <summary>A fact whose judge is the host's Linux as root.</summary>
public sealed class RootFactAttribute : FactAttribute
{
    public RootFactAttribute() => Skip = WhyNot;

    /// <summary>Why such a test cannot be judged here; null when it can.</summary>
    internal static string? WhyNot =>
        Environment.IsPrivilegedProcess ? null : "The judge of this test is the host's Linux as root: run it as root.";
}

/// <summary>A theory of that kind.</summary>
public sealed class RootTheoryAttribute : TheoryAttribute
{
    public RootTheoryAttribute() => Skip = RootFactAttribute.WhyNot;
}
