// Who calls whom in an image, read from the IL that ilc compiles (every method of the image is in one assembly), and which contracts
// (kernel/contracts) do not hold. A virtual call reaches every override. The linked code cannot answer this: there a virtual call is a jump
// through a table, and an inlined method has no name.

using System;
using System.Collections.Generic;
using System.Linq;
using Mono.Cecil;
using Mono.Cecil.Cil;

namespace Lego.Tests.Images;

/// <summary>Calls between the methods of one assembly, and its contracts.</summary>
internal sealed class ContractGraph : IDisposable
{
    private readonly AssemblyDefinition _assembly;
    private readonly List<MethodDefinition> _methods;
    private readonly Dictionary<MethodDefinition, List<MethodDefinition>> _overrides = new();

    internal ContractGraph(string path)
    {
        _assembly = AssemblyDefinition.ReadAssembly(path);
        _methods = _assembly.MainModule.GetTypes().SelectMany(type => type.Methods).ToList();
        foreach (MethodDefinition method in _methods)
        {
            foreach (MethodDefinition declared in DeclarationsOf(method))
            {
                if (!_overrides.TryGetValue(declared, out List<MethodDefinition>? known))
                {
                    _overrides[declared] = known = new List<MethodDefinition>();
                }

                known.Add(method);
            }
        }
    }

    /// <summary>How many methods promise something, the overrides of a promising method included.</summary>
    internal int Count(string contract) => _methods.Count(method => Has(method, contract));

    /// <summary>
    /// Each broken contract as a sentence with the path that breaks it. A switch of threads is a call of <paramref name="switchName"/>.
    /// </summary>
    internal IEnumerable<string> Violations(string switchName)
    {
        foreach (MethodDefinition method in _methods.Where(method => method.HasBody))
        {
            if (Has(method, "Blocks") && PathTo(method, callee => IsSwitch(callee, switchName)) == null)
            {
                yield return $"{Name(method)} is marked [Blocks] and cannot block";
            }

            if (Has(method, "NoBlock") && PathTo(method, callee => IsSwitch(callee, switchName)) is { } blocking)
            {
                yield return $"{Name(method)} is marked [NoBlock] and may block: {blocking}";
            }

            if (Has(method, "NoAllocation") && PathTo(method, Allocates) is { } allocating)
            {
                yield return $"{Name(method)} is marked [NoAllocation] and may allocate: {allocating}";
            }
        }
    }

    public void Dispose() => _assembly.Dispose();

    private static bool IsSwitch(MethodDefinition method, string switchName) => $"{method.DeclaringType.Name}.{method.Name}" == switchName;

    /// <summary>The shortest way to a method with a property, as text; null when there is none.</summary>
    private string? PathTo(MethodDefinition from, Predicate<MethodDefinition> isTarget)
    {
        Dictionary<MethodDefinition, MethodDefinition?> reachedFrom = new() { [from] = null };
        Queue<MethodDefinition> open = new([from]);
        while (open.TryDequeue(out MethodDefinition? method))
        {
            if (isTarget(method))
            {
                List<string> names = new();
                for (MethodDefinition? step = method; step != null; step = reachedFrom[step])
                {
                    names.Insert(0, Name(step));
                }

                return string.Join(" > ", names);
            }

            foreach (MethodDefinition callee in CalleesOf(method))
            {
                if (!IsMarked(callee, "ContractBoundary") && reachedFrom.TryAdd(callee, method))
                {
                    open.Enqueue(callee);
                }
            }
        }

        return null;
    }

    private IEnumerable<MethodDefinition> CalleesOf(MethodDefinition method)
    {
        if (!method.HasBody)
        {
            yield break;
        }

        foreach (Instruction instruction in method.Body.Instructions)
        {
            if (instruction.OpCode.FlowControl != FlowControl.Call || instruction.Operand is not MethodReference reference
                || reference.Resolve() is not { } callee || callee.Module != method.Module)
            {
                continue;
            }

            yield return callee;
            bool isVirtual = instruction.OpCode == OpCodes.Callvirt || instruction.Previous?.OpCode == OpCodes.Constrained;
            if (isVirtual && _overrides.TryGetValue(callee, out List<MethodDefinition>? overrides))
            {
                foreach (MethodDefinition one in overrides)
                {
                    yield return one;
                }
            }
        }
    }

    private static bool Allocates(MethodDefinition method) => method.HasBody && method.Body.Instructions.Any(instruction =>
        instruction.OpCode == OpCodes.Newarr || instruction.OpCode == OpCodes.Box
        || (instruction.OpCode == OpCodes.Newobj && instruction.Operand is MethodReference constructor
            && constructor.DeclaringType.Resolve() is { IsValueType: false }));

    /// <summary>The methods of base classes and interfaces whose virtual calls may reach this one.</summary>
    private static IEnumerable<MethodDefinition> DeclarationsOf(MethodDefinition method)
    {
        foreach (InterfaceImplementation implemented in method.DeclaringType.Interfaces)
        {
            foreach (MethodDefinition declared in Same(implemented.InterfaceType.Resolve(), method))
            {
                yield return declared;
            }
        }

        if (!method.IsVirtual || method.IsNewSlot)
        {
            yield break;
        }

        for (TypeDefinition? type = method.DeclaringType.BaseType?.Resolve(); type != null; type = type.BaseType?.Resolve())
        {
            foreach (MethodDefinition declared in Same(type, method))
            {
                yield return declared;
            }
        }
    }

    private static IEnumerable<MethodDefinition> Same(TypeDefinition? type, MethodDefinition method) => type == null ? [] :
        type.Methods.Where(other => other.IsVirtual && other.Name == method.Name && other.Parameters.Count == method.Parameters.Count);

    private bool Has(MethodDefinition method, string contract) =>
        IsMarked(method, contract) || DeclarationsOf(method).Any(declared => IsMarked(declared, contract));

    private static bool IsMarked(MethodDefinition method, string contract) =>
        method.CustomAttributes.Any(attribute => attribute.AttributeType.Name == contract + "Attribute");

    private static string Name(MethodDefinition method) => $"{method.DeclaringType.Name}.{method.Name}";
}
