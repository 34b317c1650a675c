// Messages to and from the manager component (GPM, GMM, GSM, membership) and the standard streams of the programs it starts.
//
// Join            any -> g   JoinRequest                     reply JoinReply + MemberRecords
// Heartbeat       any -> g   HeartbeatRequest                reply JoinReply + MemberRecords
// Membership      g -> any   JoinReply + MemberRecords       reply empty          (pushed when it changes)
// Consult         m -> g     ConsultRequest                  reply ConsultReply   (GMM: owners for new vRegions)
// Place           p -> g     PlaceRequest                    reply PlaceReply     (GMM, GSM: home memory and storage of a process)
// StartProcess    g -> p     StartProcessRequest + cwd\0 + argv\0... + envp\0...   reply StartProcessReply
// ProcessExited   p -> g     ProcessExitedRequest            reply empty
// StandardOutput  p -> g     StreamRequest + bytes           reply empty when the bytes have been handed on (back-pressure)
// StandardInput   g -> p     StreamRequest + bytes (none = end of file)     reply StreamReply
// SignalProcess   g -> p     SignalRequest                   reply empty

using System.Runtime.InteropServices;

namespace Lego.Fabric.Messages;

/// <summary>What a component is.</summary>
public enum ComponentKind : ushort { None = 0, Processor = 1, Memory = 2, Storage = 3, Manager = 4, Network = 5 }

/// <summary>A component's view of itself, sent when it boots.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct JoinRequest
{
    public ushort Node;
    public ComponentKind Kind;
    /// <summary>Distinguishes this boot from an earlier one of the same node.</summary>
    public uint Incarnation;
    /// <summary>Memory it manages for others, bytes (m), or its ExCache (p), or its volume (s).</summary>
    public ulong CapacityBytes;
}

/// <summary>Approximate load for placement.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct HeartbeatRequest
{
    public JoinRequest Self;
    public ulong FreeBytes;
    public ulong RequestsServed;
    public uint Threads;
    public uint Reserved;
}

/// <summary>The membership: its epoch and Count members.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct JoinReply
{
    public uint Epoch;
    public uint Count;
}

public enum MemberState : ushort { Joining = 0, Alive = 1, Suspect = 2, Failed = 3 }

/// <summary>One component of the rack.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct MemberRecord
{
    public ushort Node;
    public ComponentKind Kind;
    public MemberState State;
    public ushort Reserved;
    public uint Incarnation;
    public uint Reserved1;
}

/// <summary>A home asks the GMM for owners of Count vRegions from Start on (LegoOS: M2MM_CONSULT).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ConsultRequest
{
    public ulong Start;
    public ulong RegionBytes;
    public uint Count;
    public uint Reserved;
    public ulong FreeBytes;
    public ulong TotalBytes;
}

/// <summary>One owner for all of the asked regions.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ConsultReply
{
    public ushort Owner;
    public ushort Reserved0;
    public uint Reserved1;
}

/// <summary>A processor component asks where a new process's home and files are.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct PlaceRequest
{
    public uint ProcessId;
    public uint Reserved;
}

[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct PlaceReply
{
    public ushort HomeMemory;
    public ushort Storage;
    /// <summary>Memory component that caches files (GSM).</summary>
    public ushort FileMemory;
    public ushort Reserved;
}

[System.Flags]
public enum StartFlags : uint { None = 0, StandardInputIsTerminal = 1, StandardOutputIsTerminal = 2, StandardErrorIsTerminal = 4 }

/// <summary>Start a program; strings follow: cwd, then ArgumentCount arguments (the first is also the program), then the environment.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct StartProcessRequest
{
    /// <summary>The manager's name for the program's streams; comes back in StandardOutput and ProcessExited.</summary>
    public uint Session;
    public StartFlags Flags;
    public uint ArgumentCount;
    public uint EnvironmentCount;
    public uint StringBytes;
    public ushort TerminalRows;
    public ushort TerminalColumns;
    public PlaceReply Place;
}

[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct StartProcessReply
{
    public uint ProcessId;
    public uint Reserved;
}

/// <summary>The status as wait(2) encodes it.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ProcessExitedRequest
{
    public uint Session;
    public uint ProcessId;
    public uint WaitStatus;
    public uint Reserved;
}

/// <summary>Bytes of a standard stream (1 output, 2 error, 0 input).</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct StreamRequest
{
    public const int MaxBytes = 32 * 1024;
    public uint Session;
    public ushort Stream;
    public ushort Reserved;
}

/// <summary>How many bytes of standard input were taken; the sender offers the rest again.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct StreamReply
{
    public uint Taken;
    public uint Reserved;
}

/// <summary>Send a signal to the foreground process group of a session.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct SignalRequest
{
    public uint Session;
    public uint Signal;
}
