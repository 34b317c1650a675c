// Messages that move vRegions from one memory component to another while programs run, a piece at a time; what holds in each state stands
// at the top of monitors/memory/services/RegionMoves.cs. The home of a space decides everything; owners do as they are told.
//
// Owners   p -> home      empty                     reply: RegionRecords; answered between two pieces, never while one is on its way
// Move     home -> owner  MoveRequest               reply MoveReply; one phase of a piece's move
// PutPages owner -> owner PutPagesRequest + pages   reply empty; pages that the receiver has been told to expect
// Drain    g -> m         DrainRequest              reply DrainReply: the vRegions of a component are to be others', and how far that is

using System.Runtime.InteropServices;

namespace Lego.Fabric.Messages;

/// <summary>What an owner is to do with a piece.</summary>
public enum MovePhase : ushort
{
    /// <summary>Take the pages that Peer sends. Nobody is served.</summary>
    Expect = 1,
    /// <summary>Serve nobody any more in the first pages of the range, MoveReply says how many, and send them to Peer.</summary>
    Send = 2,
    /// <summary>Serve: what was expected, or what was on its way to another one and is not to go.</summary>
    Own = 3,
    /// <summary>It is another one's: forget it.</summary>
    Forget = 4,
}

/// <summary>A phase of the move of pages of the header's space, whose home is the sender.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct MoveRequest
{
    public ulong Start;
    public ulong Length;
    /// <summary>The home's own number of the space (GrantRequest).</summary>
    public uint Number;
    /// <summary>
    /// Grows with each phase of the space's moves but that Expect and Send of a piece have the same: a lower one is late.
    /// </summary>
    public uint Step;
    public MovePhase Phase;
    /// <summary>Whom pages come from, or go to.</summary>
    public ushort Peer;
    /// <summary>Node of the processor component that made the space.</summary>
    public ushort Processor;
    public ushort Reserved;
}

/// <summary>How far a phase has come.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct MoveReply
{
    /// <summary>Send: where the piece ends whose pages have been sent.</summary>
    public ulong End;
    public uint Pages;
    public uint Reserved;
}

/// <summary>Pages of the header's space that move, at most FlushRequest.MaxPages; their bytes follow, by address.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct PutPagesRequest
{
    /// <summary>Address of the block of 64 pages that they are in.</summary>
    public ulong Block;
    /// <summary>Which of its pages: bit 0 is the first one.</summary>
    public ulong Pages;
    /// <summary>Step of Expect and Send.</summary>
    public uint Step;
    public uint Reserved;
}

/// <summary>A memory component is to own no vRegions of the receiver's spaces, or may again.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct DrainRequest
{
    public ushort Node;
    /// <summary>1: drain, 0: no more.</summary>
    public ushort IsDrained;
    public uint Reserved;
}

/// <summary>What a home has done so far.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct DrainReply
{
    /// <summary>Runs of vRegions that are still the component's; a grant that is under way counts.</summary>
    public uint RunsLeft;
    /// <summary>Steps that have failed since the last one that has not.</summary>
    public uint Failures;
    /// <summary>Pages moved since the receiver began.</summary>
    public ulong Pages;
    /// <summary>The longest time since it began that nobody answered for a piece.</summary>
    public ulong LongestPauseNs;
    /// <summary>Errno of the last failure.</summary>
    public uint LastError;
    public uint Reserved;
}
