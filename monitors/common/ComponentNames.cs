// Names of component kinds as they stand on boot lines, in log lines and in answers to the rack tool. Pure functions; any component.

using System;
using Lego.Fabric.Messages;

namespace Lego.Common;

/// <summary>Kind to name and back.</summary>
public static class ComponentNames
{
    /// <summary>"processor", "memory", …; "unknown" for a value that is no kind.</summary>
    public static ReadOnlySpan<byte> Of(ComponentKind kind) => kind switch
    {
        ComponentKind.Processor => "processor"u8,
        ComponentKind.Memory => "memory"u8,
        ComponentKind.Storage => "storage"u8,
        ComponentKind.Manager => "manager"u8,
        ComponentKind.Network => "network"u8,
        _ => "unknown"u8,
    };

    /// <summary>"joining", "alive", "suspect" or "failed".</summary>
    public static ReadOnlySpan<byte> Of(MemberState state) => state switch
    {
        MemberState.Joining => "joining"u8,
        MemberState.Alive => "alive"u8,
        MemberState.Suspect => "suspect"u8,
        MemberState.Failed => "failed"u8,
        _ => "unknown"u8,
    };

    /// <summary>The kind of that name, or <see cref="ComponentKind.None"/>.</summary>
    public static ComponentKind Parse(ReadOnlySpan<byte> name)
    {
        for (ComponentKind kind = ComponentKind.Processor; kind <= ComponentKind.Network; kind++)
        {
            if (name.SequenceEqual(Of(kind)))
            {
                return kind;
            }
        }

        return ComponentKind.None;
    }
}
