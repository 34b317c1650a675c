// What unlink and rename owe to open files. The storage component knows nothing of open files and frees a file with its last name, so a
// name that an open file still needs is moved to a hidden one in the root directory (NFS clients' "silly rename") and removed at the last
// close. Readers of the root directory do not see hidden names (DirectoryFile). All functions BLOCK.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Hidden names of unlinked open files.</summary>
public sealed unsafe class HiddenNames(Processes processes, FileNodes nodes)
{
    private const int MaxNameBytes = 48;
    private const int MaxTries = 16;

    private ulong _next;

    /// <summary>First bytes of a hidden name.</summary>
    public static ReadOnlySpan<byte> Prefix => ".lego-"u8;

    /// <summary>
    /// The open file behind a name that is about to go, or none. One message, and only if some open file's path has the name in it. The caller
    /// has FileNodes.Names alone.
    /// </summary>
    public NodeRef OpenFileAt(in FileCaller caller, in TransferBuffer buffer, ReadOnlySpan<byte> path)
    {
        if (!nodes.AnyPathContains(PathText.LastComponent(path)))
        {
            return default;
        }

        Errno error = StorageClient.Open(in caller, in buffer, path, PathFlags.NoFollow, 0, 0, out OpenReply reply, out _);
        bool isDirectory = (reply.Attributes.Mode & FileMode.TypeMask) == FileMode.Directory;
        return error != Errno.None || isDirectory
            ? default
            : NodeRef.To(nodes.Find(caller.Place.Storage, in reply.Attributes.Handle));
    }

    /// <summary>Moves an open file's name away instead of removing it.</summary>
    public Errno Hide(in FileCaller caller, in TransferBuffer buffer, FileNode* node, ReadOnlySpan<byte> path) => Move(in caller, in buffer, node, path, HideBy.Rename);

    /// <summary>Gives an open file a hidden name besides the one that rename is about to replace.</summary>
    public Errno Keep(in FileCaller caller, in TransferBuffer buffer, FileNode* node, ReadOnlySpan<byte> path) => Move(in caller, in buffer, node, path, HideBy.Link);

    /// <summary>The last close of a hidden file: its name and its cached pages go.</summary>
    public void Remove(FileNode* node)
    {
        FileCaller kernel = FileCaller.Kernel(processes, in node->Place);
        Errno error = StorageClient.Unlink(in kernel, node->Path, PathFlags.None, out UnlinkReply reply);
        if (error != Errno.None)
        {
            Log.Warn($"hidden file stays on the volume: errno {(long)error}");
            return;
        }

        if (reply.LinksLeft == 0)
        {
            FileClient.Forget(in kernel, in node->Handle, node->Path);
        }
    }

    private enum HideBy : byte
    {
        Rename,
        Link,
    }

    private Errno Move(in FileCaller caller, in TransferBuffer buffer, FileNode* node, ReadOnlySpan<byte> path, HideBy how)
    {
        // The clock makes names of an earlier boot unlikely to be met.
        ulong boot = (Clock.UnixTimeNs() - Clock.NowNs()) / 1_000_000_000;
        FileCaller root = caller;
        root.UserId = 0;
        root.GroupId = 0;
        Span<byte> text = stackalloc byte[MaxNameBytes];
        for (int tries = 0; tries < MaxTries; tries++)
        {
            TextBuffer name = new(text);
            name.Append((byte)'/');
            name.Append(Prefix);
            name.AppendHex(boot);
            name.Append((byte)'-');
            name.AppendNumber(_next++);
            Errno error = how == HideBy.Rename
                ? StorageClient.Rename(in caller, in buffer, path, name.Text, PathFlags.NoReplace, out _)
                : StorageClient.Link(in root, in buffer, path, name.Text, PathFlags.NoFollow);
            if (error == Errno.EEXIST)
            {
                continue;
            }

            if (error == Errno.None)
            {
                nodes.Rename(node, name.Text);
                node->IsUnlinked = true;
            }

            return error;
        }

        return Errno.EEXIST;
    }
}
