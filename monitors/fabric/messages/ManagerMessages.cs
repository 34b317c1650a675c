// Messages to and from the manager component (GPM, GMM, GSM, membership) and the standard streams of the programs it starts.
//
// Join            any -> g   JoinRequest                     reply JoinReply + MemberRecords
// Heartbeat       any -> g   HeartbeatRequest                reply JoinReply + MemberRecords
// Leave           any -> g   JoinRequest                     reply empty          (before its machine ends in good order)
// Membership      g -> any   JoinReply + MemberRecords       reply empty          (pushed when it changes)
// Consult         m -> g     ConsultRequest                  reply ConsultReply + OwnerRuns   (GMM: owners for new vRegions)
// Place           p -> g     PlaceRequest                    reply PlaceReply     (GMM, GSM: home memory and storage of a process)
// StartProcess    g -> p     StartProcessRequest + cwd\0 + argv\0... + envp\0...   reply StartProcessReply
// ProcessExited   p -> g     ProcessExitedRequest            reply empty
// StandardOutput  p -> g     StreamRequest + bytes           reply empty, at once: p sends no more than its credit
// OutputCredit    g -> p     OutputCreditRequest             reply empty          (the user's side has written bytes, or writes no more)
// StandardInputWanted  p -> g  InputWantedRequest            reply empty          (a program reads and finds nothing)
// StandardInput   g -> p     StreamRequest + bytes           reply empty
// TerminalModes   p -> g     TerminalModesRequest            reply empty
// WindowSize      g -> p     WindowSizeRequest               reply empty
// SignalProcess   g -> p     SignalRequest                   reply empty
//
// Flow control of standard streams. Output: a stream may have OutputWindowBytes on its way, counted in control frames with their headers,
// so that whoever keeps a session's frames needs room for no more; p waits for credit before it sends. Input: the user's side reads only
// what a program has asked for, at most InputWindowBytes at a time, so p always has room for what comes.

using System;
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
    /// <summary>What it holds that only one of its kind may: a manager that has begun anew takes up from there.</summary>
    public MemberRoles Roles;
    public uint Reserved;
}

/// <summary>Roles of a memory component. The greater value has more to lose.</summary>
[Flags]
public enum MemberRoles : uint { None = 0, CachesFiles = 1, IsHome = 2 }

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

/// <summary>The owners of the asked regions, in their order: <see cref="Runs"/> OwnerRuns follow.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ConsultReply
{
    public uint Runs;
    public uint Reserved;
    /// <summary>Memory of all living memory components together: no space can have more.</summary>
    public ulong RackBytes;
}

/// <summary>So many neighbouring vRegions have this owner.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct OwnerRun
{
    /// <summary>Most of them in one reply.</summary>
    public const int Most = 32;

    public ushort Owner;
    public ushort Reserved;
    public uint Count;
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

/// <summary>
/// Start a program; strings follow: cwd, then ArgumentCount arguments (the first is also the program), then the environment.
/// </summary>
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
    /// <summary>Modes of the user's terminal; all zero when there is none.</summary>
    public TerminalAttributes Modes;
}

/// <summary>struct termios of Linux's ABI (ioctl_tty(2)), 36 bytes; the characters begin with the line discipline.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct TerminalAttributes
{
    public uint Input;
    public uint Output;
    public uint Control;
    public uint Local;
    public ulong Characters0;
    public ulong Characters1;
    public uint Characters2;
}

[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct StartProcessReply
{
    public uint ProcessId;
    /// <summary>Processes that exist at the component, this one among them.</summary>
    public uint Processes;
}

/// <summary>The status as wait(2) encodes it.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct ProcessExitedRequest
{
    public uint Session;
    public uint ProcessId;
    public uint WaitStatus;
    /// <summary>Processes that exist at the component besides this one.</summary>
    public uint Processes;
}

/// <summary>Bytes of a standard stream.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct StreamRequest
{
    /// <summary>Most bytes of one message.</summary>
    public const int MaxBytes = 32 * 1024;

    /// <summary>Bytes of one stream that may be on their way; see the head of this file.</summary>
    public const int OutputWindowBytes = 256 * 1024;
    public const int InputWindowBytes = 64 * 1024;

    /// <summary>What a message costs besides its bytes: the header of the control frame that it becomes.</summary>
    public const int FrameBytes = 8;

    public const ushort Output = 1;
    public const ushort Error = 2;

    /// <summary>A line of the rack about the program, for its standard error. Costs no credit, is dropped when there is no room.</summary>
    public const ushort Sentence = 3;

    public const ushort Input = 0;
    public const ushort InputEnd = 4;

    public uint Session;
    /// <summary>One of the constants.</summary>
    public ushort Stream;
    /// <summary>Input: how many of the reads that p wanted this answers. Without bytes: something is there to be read.</summary>
    public ushort Answered;
}

/// <summary>The user's side has written output, or has closed a stream.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct OutputCreditRequest
{
    public uint Session;
    /// <summary>1 or 2.</summary>
    public ushort Stream;
    /// <summary>What writes fail with from now on (errno); 0 while the stream is open.</summary>
    public ushort Status;
    /// <summary>Credit that comes back.</summary>
    public uint Bytes;
    public uint Reserved;
}

/// <summary>
/// The programs of a session want Reads reads of their standard input, each of at most Bytes; each is answered once. With Bytes 0 they only
/// want to know when something can be read.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct InputWantedRequest
{
    public uint Session;
    public uint Bytes;
    public uint Reads;
    public uint Reserved;
}

/// <summary>When a change of terminal modes takes effect (tcsetattr(3)).</summary>
public enum TerminalAction : uint { Now = 0, Drained = 1, Flushed = 2 }

/// <summary>A program has set the modes of its terminal, which are those of the user's.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct TerminalModesRequest
{
    public uint Session;
    public TerminalAction Action;
    public TerminalAttributes Modes;
}

/// <summary>The user's terminal has another size.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct WindowSizeRequest
{
    public uint Session;
    public ushort Rows;
    public ushort Columns;
}

/// <summary>Who gets a signal.</summary>
public enum SignalScope : ushort
{
    /// <summary>The foreground process group, as for a key of the terminal.</summary>
    Foreground = 0,
    /// <summary>Every process that the session's program has started, also those that made sessions of their own.</summary>
    Session = 1,
}

/// <summary>Send a signal to processes of a session.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct SignalRequest
{
    public uint Session;
    public ushort Signal;
    public SignalScope Scope;
}
