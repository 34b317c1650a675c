// How a request to the storage component names a file of the volume: by an absolute path, by a path relative to an open directory, or by
// handle for what is open. Points into its maker (PathName, FileNode) and is valid as long as that.

using System;
using Lego.Fabric.Messages;

namespace Lego.Processor;

/// <summary>A name for the storage component.</summary>
public readonly unsafe ref struct VolumePath
{
    private VolumePath(FileHandle handle, ReadOnlySpan<byte> wire, int startLength, bool isRelative, PathScope scope = PathScope.None)
    {
        Scope = scope;
        Handle = handle;
        Wire = wire;
        StartLength = startLength;
        IsRelative = isRelative;
    }

    /// <summary>The directory where a relative path begins, or the very file; zero: an absolute path.</summary>
    public FileHandle Handle { get; }

    /// <summary>The path as it goes into the message: the start's own path, then what is to be walked.</summary>
    public ReadOnlySpan<byte> Wire { get; }

    /// <summary>Bytes of the start's own path.</summary>
    public int StartLength { get; }

    public bool IsRelative { get; }

    /// <summary>How it may be walked; only Open knows of it.</summary>
    public PathScope Scope { get; }

    /// <summary>An absolute path.</summary>
    public static VolumePath Absolute(ReadOnlySpan<byte> path, PathScope scope = PathScope.None) =>
        new(default, path, 0, isRelative: false, scope);

    /// <summary>A path that begins at a directory, whose own path is the first bytes.</summary>
    public static VolumePath Relative(FileNode* directory, ReadOnlySpan<byte> wire, int startLength, PathScope scope = PathScope.None) =>
        new(directory->Handle, wire, startLength, isRelative: true, scope);

    /// <summary>An open file itself, whatever its name is now.</summary>
    public static VolumePath Of(FileNode* node) => new(node->Handle, default, 0, isRelative: false);

    /// <summary>A file that was just looked up.</summary>
    public static VolumePath Of(in FileHandle handle) => new(handle, default, 0, isRelative: false);
}
