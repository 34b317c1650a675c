// What a function promises about its whole call tree, as attributes that a test verifies over all callees of each linked image
// (tests/unit/Images/ContractTests), as Singularity's compiler verified [NoHeapAllocation] (Hunt and Larus, OSR 41(2), 2007). An attribute
// of a virtual method holds for every override. Calls through function pointers are not followed: what is called that way says its contract
// itself. Not read at run time.

using System;

namespace Lego.Kernel;

/// <summary>
/// Other threads may run before it returns, so what was read from shared state before the call may have changed after it, and pointers to
/// what others may free need a reference. Verified: there is a path to a thread switch.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class BlocksAttribute : Attribute
{
}

/// <summary>
/// No other thread runs before it returns: interrupt handlers, polling, whatever wakes others. Verified: no path to a thread switch.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NoBlockAttribute : Attribute
{
}

/// <summary>
/// Makes no managed object, also not before the heap is sealed. Verified: no path to a `new` of a class, an array or a box.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NoAllocationAttribute : Attribute
{
}

/// <summary>A call that the verification does not follow, because of something that it cannot see.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ContractBoundaryAttribute : Attribute
{
    public ContractBoundaryAttribute(string reason) => Reason = reason;

    /// <summary>What holds here, and who makes sure.</summary>
    public string Reason { get; }
}
