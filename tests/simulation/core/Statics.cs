// Static fields of kernel code: one run must not see what the run before left there. They are put back to what they were before the first
// run. Fields that never change after a type's initialisation (readonly, const) are left alone.

using System;
using System.Collections.Generic;
using System.Reflection;
using System.Runtime.CompilerServices;

namespace Lego.Simulation;

/// <summary>Remembers and restores static fields.</summary>
internal static class Statics
{
    private static readonly List<(FieldInfo Field, object? Value)> s_fields = Find();

    /// <summary>Puts all back; true also when there was nothing to do. Between runs.</summary>
    internal static void Restore()
    {
        foreach ((FieldInfo field, object? value) in s_fields)
        {
            field.SetValue(null, value);
        }
    }

    private static List<(FieldInfo Field, object? Value)> Find()
    {
        List<(FieldInfo Field, object? Value)> fields = [];
        foreach (Type type in typeof(Statics).Assembly.GetTypes())
        {
            bool isKernel = type.Namespace is { } name && name.StartsWith("Lego", StringComparison.Ordinal) && name != "Lego.Simulation";
            if (!isKernel || type.ContainsGenericParameters)
            {
                continue;
            }

            foreach (FieldInfo field in type.GetFields(BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.Public
                | BindingFlags.DeclaredOnly))
            {
                if (field.IsLiteral || field.IsInitOnly || field.FieldType.IsFunctionPointer)
                {
                    continue;
                }

                RuntimeHelpers.RunClassConstructor(type.TypeHandle);
                fields.Add((field, field.GetValue(null)));
            }
        }

        return fields;
    }
}
