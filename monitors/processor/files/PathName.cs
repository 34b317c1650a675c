// A path that a system call was given: copied from the program, made absolute with the working directory or a directory descriptor, and
// resolved as far as this component must (is it in /proc, /sys or /dev?). The storage component resolves the rest. Lives in one frame,
// given back by Dispose. Reading it from the program may BLOCK.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Whether a symbolic link in the last component is followed.</summary>
public enum LastLink : byte
{
    Follow = 0,
    Keep = 1,
}

/// <summary>What an empty path means.</summary>
public enum EmptyPath : byte
{
    /// <summary>ENOENT.</summary>
    Error = 0,
    /// <summary>AT_EMPTY_PATH: the descriptor itself.</summary>
    Descriptor = 1,
}

/// <summary>An absolute path in a frame of its own.</summary>
public readonly unsafe ref struct PathName
{
    /// <summary>AT_FDCWD of openat(2).</summary>
    public const int CurrentDirectory = -100;

    /// <summary>The frame starts with the length.</summary>
    private const int LengthBytes = sizeof(ushort);
    private const int Capacity = PageOperations.PageSize - LengthBytes;

    /// <summary>Symbolic links followed before ELOOP (path_resolution(7)).</summary>
    private const int MaxLinks = 40;

    private readonly FrameAllocator? _frames;
    private readonly byte* _page;

    private PathName(FrameAllocator? frames, byte* page, Errno error, bool isDescriptor)
    {
        _frames = frames;
        _page = page;
        Error = error;
        IsDescriptor = isDescriptor;
    }

    /// <summary>Why there is no path: EFAULT, ENAMETOOLONG, ENOENT (empty), EBADF and ENOTDIR (the descriptor), ENOMEM.</summary>
    public Errno Error { get; }

    /// <summary>True when the path was empty and means the directory descriptor's file.</summary>
    public bool IsDescriptor { get; }

    /// <summary>The path, absolute, no terminator.</summary>
    public ReadOnlySpan<byte> Text => new(_page + LengthBytes, *(ushort*)_page);

    private Span<byte> Room => new(_page + LengthBytes, Capacity);

    /// <summary>The path at a program's address, relative to its working directory.</summary>
    public static PathName FromUser(Process* process, ulong address) => FromUser(process, unchecked((ulong)CurrentDirectory), address);

    /// <summary>The path at a program's address, relative to a directory descriptor.</summary>
    public static PathName FromUser(Process* process, ulong directory, ulong address, EmptyPath empty = EmptyPath.Error)
    {
        FrameAllocator frames = process->Table.Frames;
        byte* page = (byte*)frames.Allocate();
        if (page == null)
        {
            return new PathName(null, null, Errno.ENOMEM, false);
        }

        PathName path = new(frames, page, Errno.None, false);
        Errno error = UserString.Copy(process, address, path.Room, out int length);
        if (error == Errno.None && length == 0)
        {
            if (empty == EmptyPath.Descriptor)
            {
                *(ushort*)page = 0;
                return new PathName(frames, page, Errno.None, true);
            }

            error = Errno.ENOENT;
        }

        if (error == Errno.None)
        {
            *(ushort*)page = (ushort)length;
            error = page[LengthBytes] == (byte)'/' ? Errno.None : path.MakeAbsolute(process, (int)directory);
        }

        return new PathName(frames, page, error, false);
    }

    /// <summary>A path known to the kernel, absolute, and a name in it unless that is empty. ENOMEM, ENAMETOOLONG.</summary>
    public static PathName FromText(FrameAllocator frames, scoped ReadOnlySpan<byte> text, scoped ReadOnlySpan<byte> name = default)
    {
        byte* page = (byte*)frames.Allocate();
        if (page == null)
        {
            return new PathName(null, null, Errno.ENOMEM, false);
        }

        PathName path = new(frames, page, Errno.None, false);
        bool fits = path.Replace(text, default, 0);
        if (fits && !name.IsEmpty)
        {
            bool isRoot = text.Length == 1;
            fits = (isRoot || path.Replace("/"u8, default, path.Text.Length)) && path.Replace(name, default, path.Text.Length);
        }

        return fits ? path : new PathName(frames, page, Errno.ENAMETOOLONG, false);
    }

    /// <summary>No path, because of an error.</summary>
    public static PathName Failed(Errno error) => new PathName(null, null, error, false);

    /// <summary>
    /// Finds out which tree the path is in. <paramref name="node"/> is PseudoFile.None for the volume; the path then is what to ask
    /// the storage
    /// component for (links of /proc that lead there have been followed). ENOENT, ENOTDIR, ELOOP, ENAMETOOLONG.
    /// </summary>
    public Errno Resolve(Process* process, LastLink lastLink, out PseudoNode node)
    {
        Span<byte> target = stackalloc byte[PseudoLinks.MaxTargetBytes];
        for (int links = 0; links < MaxLinks; links++)
        {
            node = default;
            if (PathText.TreeOf(Text) == PathTree.Volume)
            {
                return Errno.None;
            }

            Errno error = Walk(process, lastLink, target, out node, out bool again);
            if (error != Errno.None || !again)
            {
                return error;
            }
        }

        node = default;
        return Errno.ELOOP;
    }

    public void Dispose()
    {
        if (_page != null)
        {
            _frames!.Free(_page);
        }
    }

    /// <summary>Walks the pseudo tree; rewrites the path and asks for another round at a link.</summary>
    private Errno Walk(Process* process, LastLink lastLink, Span<byte> target, out PseudoNode node, out bool again)
    {
        again = false;
        node = new PseudoNode { File = PseudoFile.Root };
        int position = 0;
        while (PathText.NextComponent(Text, ref position, out ReadOnlySpan<byte> component))
        {
            if (!PseudoTree.IsDirectory(node.File))
            {
                return Errno.ENOTDIR;
            }

            int start = position - component.Length;
            if (PathText.IsDot(component))
            {
                continue;
            }

            if (PathText.IsDotDot(component))
            {
                node = PseudoTree.ParentOf(node);
                continue;
            }

            Errno searched = PseudoTree.CheckSearch(process, node);
            if (searched != Errno.None)
            {
                return searched;
            }

            if (!PseudoTree.TryFind(process, node, component, out PseudoNode child))
            {
                return Errno.ENOENT;
            }

            bool isLast = position == Text.Length;
            if (PseudoTree.IsLink(child.File) && (!isLast || lastLink == LastLink.Follow))
            {
                if (isLast && child.File == PseudoFile.ProcessDescriptor)
                {
                    // Leads to an open file, not to a name: the caller takes it from the table.
                    node = child;
                    return Errno.None;
                }

                Errno error = PseudoLinks.Target(process, child, target, out int length);
                if (error != Errno.None)
                {
                    return error;
                }

                again = true;
                ReadOnlySpan<byte> replacement = target.Slice(0, length);
                int keptBytes = replacement[0] == (byte)'/' ? 0 : start;
                return Replace(replacement, Text.Slice(position), keptBytes) ? Errno.None : Errno.ENAMETOOLONG;
            }

            node = child;
        }

        // "/proc/meminfo/" names a directory that does not exist.
        bool isDirectory = PseudoTree.IsDirectory(node.File);
        return Text[Text.Length - 1] == (byte)'/' && !isDirectory ? Errno.ENOTDIR : Errno.None;
    }

    /// <summary>Puts a directory and a slash in front.</summary>
    private Errno MakeAbsolute(Process* process, int directory)
    {
        if (directory == CurrentDirectory)
        {
            return Prepend(Processes.TextOf(process->Cwd));
        }

        OpenFile* file = FileTable.Of(process)->Find((ulong)(uint)directory);
        if (file == null)
        {
            return Errno.EBADF;
        }

        if (file->Node == null && file->Kind is FileKind.PseudoDirectory or FileKind.PathOnly && PseudoTree.IsDirectory(file->Pseudo.File))
        {
            Span<byte> text = stackalloc byte[PseudoLinks.MaxTargetBytes];
            int length = PseudoTree.PathOf(file->Pseudo, text);
            return Prepend(text.Slice(0, length));
        }

        bool isDirectory = file->Node != null && (file->Node->Mode & FileMode.TypeMask) == FileMode.Directory;
        return isDirectory ? Prepend(file->Node->Path) : Errno.ENOTDIR;
    }

    private Errno Prepend(scoped ReadOnlySpan<byte> directory)
    {
        int length = Text.Length;
        int slash = directory.Length == 1 ? 0 : 1;
        if (directory.Length + slash + length >= Capacity)
        {
            return Errno.ENAMETOOLONG;
        }

        // Overlapping, to the right: Span.CopyTo moves as memmove does.
        Room.Slice(0, length).CopyTo(Room.Slice(directory.Length + slash));
        directory.CopyTo(Room);
        Room[directory.Length - 1 + slash] = (byte)'/';
        *(ushort*)_page = (ushort)(directory.Length + slash + length);
        return Errno.None;
    }

    /// <summary>Keeps the first bytes, then puts a text and the rest (which lies in the same frame, further right).</summary>
    private bool Replace(scoped ReadOnlySpan<byte> text, scoped ReadOnlySpan<byte> rest, int keptBytes)
    {
        int total = keptBytes + text.Length + rest.Length;
        if (total >= Capacity)
        {
            return false;
        }

        rest.CopyTo(Room.Slice(keptBytes + text.Length));
        text.CopyTo(Room.Slice(keptBytes));
        *(ushort*)_page = (ushort)total;
        return true;
    }
}
