// Marks the handler of a system call and says how much of it is there. docs/syscalls.md is generated from these attributes by reflection in
// tests/unit (test Docs_syscalls_md_matches_the_source), so the table cannot lie about what the source claims. Not read at run time.

using System;

namespace Lego.Processor;

/// <summary>How much of a system call's Linux behaviour is implemented.</summary>
public enum Support
{
    /// <summary>All that the man page says, as far as it can be observed on this rack.</summary>
    Full,
    /// <summary>The parts that the note does not exclude.</summary>
    Partial,
    /// <summary>Accepted without effect, or with a fixed answer.</summary>
    Stub,
}

/// <summary>Number, name, support and limits of a system call handler.</summary>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class SystemCallAttribute : Attribute
{
    public SystemCallAttribute(int number, string name, Support support, string missing = "")
    {
        Number = number;
        Name = name;
        Support = support;
        Missing = missing;
    }

    public int Number { get; }

    public string Name { get; }

    public Support Support { get; }

    /// <summary>What is missing or different; empty for Full.</summary>
    public string Missing { get; }
}
