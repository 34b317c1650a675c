// Leases (Gray and Cheriton, 1989; NFSv4's delegations): what a processor component remembers of another component's state. Every fact that
// can be remembered has a key, a hash of what it is about, and both sides count by keys: the granter knows which components may remember
// something under a key, the holder when a key was last called back. Two facts with one key cost a message too many, never a wrong answer.
//
// A storage component grants with Open (PathFlags.Lease) and StorageStatus (FileRequest.For), a memory component with FileStatus
// (FileRequest.For). Who changes something that others may remember is answered only when they have forgotten it: Recall goes to each of
// them and is answered, or their lives have ended. Who asked for the change is not called back: the reply says which keys it changed
// (LeaseKeys), and until it comes the requester remembers nothing that it may concern.
//
// Recall         RecallRequest + u32 each             reply empty: the target remembers nothing under these keys

using System;
using System.Runtime.InteropServices;

namespace Lego.Fabric.Messages;

/// <summary>Keys of what is remembered.</summary>
public static class LeaseKey
{
    private const uint AttributesSalt = 0x9E3779B9;
    private const uint AccessSalt = 0x85EBCA6B;

    /// <summary>An inode's attributes.</summary>
    public static uint Attributes(uint inode) => Mix(inode ^ AttributesSalt);

    /// <summary>The attributes that decide who may do what: type, permissions, owner, group. Changed more rarely than the others.</summary>
    public static uint Access(uint inode) => Mix(inode + AccessSalt);

    /// <summary>What a name of a directory leads to; nothing, too.</summary>
    public static uint Name(uint directory, ReadOnlySpan<byte> name)
    {
        uint hash = Mix(directory);
        foreach (byte character in name)
        {
            // FNV-1a.
            hash = (hash ^ character) * 16777619u;
        }

        return Mix(hash);
    }

    /// <summary>MurmurHash3's finalizer: every bit of the key depends on every bit of the value.</summary>
    private static uint Mix(uint value)
    {
        value ^= value >> 16;
        value *= 0x85EBCA6B;
        value ^= value >> 13;
        value *= 0xC2B2AE35;
        return value ^ (value >> 16);
    }
}

/// <summary>The keys under which one request changed something.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public unsafe struct LeaseKeys
{
    /// <summary>Most keys that one change has.</summary>
    public const int Most = 7;

    /// <summary>As Count: more than can be listed.</summary>
    public const uint Everything = uint.MaxValue;

    public uint Count;
    private uint _key0;
    private uint _key1;
    private uint _key2;
    private uint _key3;
    private uint _key4;
    private uint _key5;
    private uint _key6;

    /// <summary>The keys; none when everything is meant.</summary>
    public static ReadOnlySpan<uint> Of(LeaseKeys* keys) => new(&keys->_key0, keys->Count > Most ? 0 : (int)keys->Count);

    /// <summary>One more; too many become everything.</summary>
    public void Add(uint key)
    {
        if (Count >= Most)
        {
            Count = Everything;
            return;
        }

        fixed (uint* keys = &_key0)
        {
            keys[Count++] = key;
        }
    }
}

/// <summary>Call-back: forget what is remembered under Count keys, which follow; LeaseKeys.Everything: all.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
public struct RecallRequest
{
    public uint Count;
    public uint Reserved;
}
