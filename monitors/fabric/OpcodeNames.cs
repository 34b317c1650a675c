// Names of opcodes for counters and log lines. A host test holds this table against the enumeration.

using System;
using Lego.Fabric.Messages;

namespace Lego.Fabric;

/// <summary>Opcodes as text.</summary>
public static class OpcodeNames
{
    /// <summary>Opcode groups that there are: the high bytes from 0 up.</summary>
    internal const int GroupCount = 9;

    /// <summary>The name in <see cref="Opcode"/>; empty for a value that it does not have.</summary>
    public static ReadOnlySpan<byte> Of(Opcode opcode) => opcode switch
    {
        Opcode.Echo => "Echo"u8,
        Opcode.Miss => "Miss"u8,
        Opcode.MissFlush => "MissFlush"u8,
        Opcode.Flush => "Flush"u8,
        Opcode.Execute => "Execute"u8,
        Opcode.Fork => "Fork"u8,
        Opcode.Exit => "Exit"u8,
        Opcode.Map => "Map"u8,
        Opcode.Unmap => "Unmap"u8,
        Opcode.Protect => "Protect"u8,
        Opcode.Remap => "Remap"u8,
        Opcode.Break => "Break"u8,
        Opcode.Discard => "Discard"u8,
        Opcode.Grant => "Grant"u8,
        Opcode.CopyPages => "CopyPages"u8,
        Opcode.Owners => "Owners"u8,
        Opcode.Move => "Move"u8,
        Opcode.PutPages => "PutPages"u8,
        Opcode.Drain => "Drain"u8,
        Opcode.FileRead => "FileRead"u8,
        Opcode.FileWrite => "FileWrite"u8,
        Opcode.FileSync => "FileSync"u8,
        Opcode.FileTruncate => "FileTruncate"u8,
        Opcode.FileStatus => "FileStatus"u8,
        Opcode.FileForget => "FileForget"u8,
        Opcode.Open => "Open"u8,
        Opcode.MakeNode => "MakeNode"u8,
        Opcode.Unlink => "Unlink"u8,
        Opcode.Rename => "Rename"u8,
        Opcode.Link => "Link"u8,
        Opcode.ReadLink => "ReadLink"u8,
        Opcode.ReadDirectory => "ReadDirectory"u8,
        Opcode.SetAttributes => "SetAttributes"u8,
        Opcode.VolumeStatus => "VolumeStatus"u8,
        Opcode.Release => "Release"u8,
        Opcode.ReadAttribute => "ReadAttribute"u8,
        Opcode.ChangeAttribute => "ChangeAttribute"u8,
        Opcode.StorageRead => "StorageRead"u8,
        Opcode.StorageWrite => "StorageWrite"u8,
        Opcode.StorageSync => "StorageSync"u8,
        Opcode.StorageTruncate => "StorageTruncate"u8,
        Opcode.StorageStatus => "StorageStatus"u8,
        Opcode.StorageReserve => "StorageReserve"u8,
        Opcode.StorageFindData => "StorageFindData"u8,
        Opcode.StorageDigHoles => "StorageDigHoles"u8,
        Opcode.StorageAllocate => "StorageAllocate"u8,
        Opcode.Join => "Join"u8,
        Opcode.Heartbeat => "Heartbeat"u8,
        Opcode.Membership => "Membership"u8,
        Opcode.Consult => "Consult"u8,
        Opcode.Place => "Place"u8,
        Opcode.Leave => "Leave"u8,
        Opcode.StartProcess => "StartProcess"u8,
        Opcode.ProcessExited => "ProcessExited"u8,
        Opcode.StandardOutput => "StandardOutput"u8,
        Opcode.StandardInputWanted => "StandardInputWanted"u8,
        Opcode.TerminalModes => "TerminalModes"u8,
        Opcode.StandardInput => "StandardInput"u8,
        Opcode.SignalProcess => "SignalProcess"u8,
        Opcode.OutputCredit => "OutputCredit"u8,
        Opcode.WindowSize => "WindowSize"u8,
        Opcode.Recall => "Recall"u8,
        Opcode.AdmitVNode => "AdmitVNode"u8,
        Opcode.EndVNode => "EndVNode"u8,
        Opcode.ForgetVNode => "ForgetVNode"u8,
        Opcode.VNodeStatus => "VNodeStatus"u8,
        Opcode.NextVNode => "NextVNode"u8,
        _ => default,
    };
}
