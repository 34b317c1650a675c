// Where a process is (chdir(2), getcwd(2)): a directory of the volume, held, so that it follows renames and outlives its removal; or one of
// the trees that are served here. Set and Release may BLOCK (a reference to a node is dropped).

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A working directory; zero-initialised = the root.</summary>
public unsafe struct WorkingDirectory
{
    /// <summary>On the volume; null: elsewhere, or the root.</summary>
    public FileNode* Node;
    /// <summary>In a tree that is served here, when its File is not None.</summary>
    public PseudoNode Pseudo;

    public readonly bool IsPseudo => Pseudo.File != PseudoFile.None;

    /// <summary>What getcwd and /proc/PID/cwd tell; empty when it is longer than any path.</summary>
    public readonly ReadOnlySpan<byte> Path => Node != null ? Node->Path : "/"u8;

    /// <summary>True when it has been removed.</summary>
    public readonly bool IsRemoved => Node != null && Node->IsUnlinked;

    /// <summary>Where a process is.</summary>
    public static ref WorkingDirectory Of(Process* process) => ref PathContext.Of(process)->Cwd;

    /// <summary>The same directory for another process (fork).</summary>
    public static WorkingDirectory Copy(in WorkingDirectory from)
    {
        if (from.Node != null)
        {
            from.Node->References++;
        }

        return from;
    }

    /// <summary>Goes to a directory of the volume, whose reference is taken over.</summary>
    public static void Set(ref WorkingDirectory target, FileNode* node) => Replace(ref target, new WorkingDirectory { Node = node });

    /// <summary>Goes to a directory that is served here.</summary>
    public static void Set(ref WorkingDirectory target, PseudoNode node) => Replace(ref target, new WorkingDirectory { Pseudo = node });

    /// <summary>Leaves it: the process ends.</summary>
    public static void Release(ref WorkingDirectory target) => Replace(ref target, default);

    private static void Replace(ref WorkingDirectory target, WorkingDirectory wanted)
    {
        FileNode* old = target.Node;
        target = wanted;
        if (old != null)
        {
            old->Table.Release(old);
        }
    }
}
