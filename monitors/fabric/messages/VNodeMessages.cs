// Messages about vNodes: the manager tells every component that has to do with one who may speak for it and what it may use.
//
// AdmitVNode      g -> p, m, s   AdmitRequest + name + root + u16 each node   reply empty
// EndVNode        g -> p         VNodeRequest                                 reply VNodeUsage  (its processes are killed)
// ForgetVNode     g -> p, m, s   VNodeRequest                                 reply empty
// VNodeStatus     g -> p, m      VNodeRequest                                 reply VNodeUsage
// NextVNode       g -> s         VNodeRequest                                 reply as AdmitVNode's request, of the one with the next
//                                                                             higher number (ENOENT: none): what a new manager has to know

using System.Runtime.InteropServices;

namespace Lego.Fabric.Messages;

/// <summary>What a vNode is. Sent again it replaces limits and nodes; the root does not change.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct AdmitRequest
{
    /// <summary>Longest path of a root.</summary>
    public const int MaxRoot = 255;

    /// <summary>Longest name.</summary>
    public const int MaxName = 31;

    public ushort VNode;
    /// <summary>Bytes of the path of its root directory, which begins with a slash.</summary>
    public ushort RootLength;
    /// <summary>Components that may speak for it.</summary>
    public ushort NodeCount;
    /// <summary>Bytes of what users call it.</summary>
    public ushort NameLength;
    /// <summary>Most processes at each p; 0 = as many as the p has room for.</summary>
    public uint Processes;
    public uint Reserved1;
    /// <summary>Most memory of its own pages, bytes; 0 = as much as there is.</summary>
    public ulong MemoryBytes;
}

/// <summary>Which vNode.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct VNodeRequest
{
    public ushort VNode;
    public ushort Reserved;
    public uint Reserved1;
}

/// <summary>What a vNode uses at one component.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct VNodeUsage
{
    /// <summary>Processes that live (p).</summary>
    public uint Processes;
    /// <summary>Address spaces that are there, those of ended processes included (p): while there are any, it is not forgotten.</summary>
    public uint Spaces;
    /// <summary>Processor time of its processes, those that have ended included (p).</summary>
    public ulong CpuNs;
    /// <summary>Frames of its processes' pages, bytes (m).</summary>
    public ulong MemoryBytes;
    /// <summary>Pages that its processes have here, bytes, shared ones counted once for each (p).</summary>
    public ulong PageBytes;
}
