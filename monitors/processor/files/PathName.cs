// A path that a system call was given: copied from the program, tied to the working directory or a directory descriptor when it is
// relative, and resolved as far as this component must (does it lead into /proc, /sys or /dev?). The storage component resolves the rest.
// Lives in one frame and a record, given back by Dispose. Reading it from the program may BLOCK.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Whether a symbolic link in the last component is followed.</summary>
public enum LastLink : byte
{
    Follow = 0,
    Keep = 1,
    /// <summary>It is what is sought, and what it says (readlink(2)).</summary>
    Read = 2,
}

/// <summary>What an empty path means.</summary>
public enum EmptyPath : byte
{
    /// <summary>ENOENT.</summary>
    Error = 0,
    /// <summary>AT_EMPTY_PATH: the descriptor itself.</summary>
    Descriptor = 1,
}

/// <summary>The text of a path and where it begins; in a slab while a system call uses it.</summary>
public unsafe struct PathRecord
{
    /// <summary>A frame: the start's own path when both fit, then the text.</summary>
    public byte* Page;
    public ushort StartLength;
    public ushort TextLength;
    /// <summary>With a scope: bytes of the text that lead to where it begins, if that is served here; 0 and 1 are the root.</summary>
    public ushort ScopeLength;
    public PathScope Scope;
    /// <summary>Directory of a relative path, with a reference; null: the path is absolute.</summary>
    public FileNode* Start;
}

/// <summary>A path in a frame of its own.</summary>
public readonly unsafe ref partial struct PathName
{
    /// <summary>AT_FDCWD of openat(2).</summary>
    public const int CurrentDirectory = -100;

    /// <summary>Longest text: PATH_MAX counts the terminator.</summary>
    private const int Capacity = PageOperations.PageSize - 1;

    /// <summary>Symbolic links followed before ELOOP (path_resolution(7)).</summary>
    private const int MaxLinks = 40;

    private readonly PathRecord* _record;

    private PathName(FileSystem files, PathRecord* record, Errno error, bool isDescriptor)
    {
        Files = files;
        _record = record;
        Error = error;
        IsDescriptor = isDescriptor;
    }

    /// <summary>The file system that it is for.</summary>
    public FileSystem Files { get; }

    /// <summary>Why there is no path: EFAULT, ENAMETOOLONG, ENOENT (empty), EBADF and ENOTDIR (the descriptor), ENOMEM.</summary>
    public Errno Error { get; }

    /// <summary>True when the path was empty and means the directory descriptor's file.</summary>
    public bool IsDescriptor { get; }

    /// <summary>The path, no terminator; absolute, or relative to a directory of the volume.</summary>
    public ReadOnlySpan<byte> Text => new(_record->Page + _record->StartLength, _record->TextLength);

    /// <summary>The path for the storage component.</summary>
    public VolumePath Volume => _record->Start == null
        ? VolumePath.Absolute(Text, _record->Scope)
        : VolumePath.Relative(_record->Start, new ReadOnlySpan<byte>(_record->Page, _record->StartLength + _record->TextLength),
            _record->StartLength, _record->Scope);

    /// <summary>Where the name that the path ends in stands: an absolute path, or one from where this one begins; or that very
    /// directory.</summary>
    public VolumePath Directory
    {
        get
        {
            ReadOnlySpan<byte> directory = PathText.DirectoryOf(Text);
            int position = 0;
            PathText.NextComponent(Text, ref position, out _);
            bool isNameOnly = !PathText.HasComponent(Text.Slice(position));
            return _record->Start == null ? VolumePath.Absolute(directory)
                : isNameOnly ? VolumePath.Of(_record->Start)
                : VolumePath.Relative(_record->Start, new ReadOnlySpan<byte>(_record->Page, _record->StartLength + directory.Length),
                    _record->StartLength);
        }
    }

    private Span<byte> Room => new(_record->Page, PageOperations.PageSize);

    /// <summary>The path at a program's address, relative to its working directory.</summary>
    public static PathName FromUser(Process* process, ulong address) => FromUser(process, unchecked((ulong)CurrentDirectory), address);

    /// <summary>The path at a program's address, relative to a directory descriptor.</summary>
    public static PathName FromUser(
        Process* process, ulong directory, ulong address, EmptyPath empty = EmptyPath.Error, PathScope scope = PathScope.None)
    {
        FileSystem files = FileSystem.Of(process);
        PathName path = Create(files);
        if (path.Error != Errno.None)
        {
            return path;
        }

        Errno error = UserString.Copy(process, address, path.Room, out int length);
        if (error == Errno.None && length == 0)
        {
            if (empty == EmptyPath.Descriptor)
            {
                return new PathName(files, path._record, Errno.None, true);
            }

            error = Errno.ENOENT;
        }

        if (error == Errno.None)
        {
            path._record->TextLength = (ushort)length;
            error = scope != PathScope.None ? path.Limit(process, (int)directory, scope)
                : path.Room[0] == (byte)'/' ? Errno.None
                : path.Begin(process, (int)directory);
        }

        return new PathName(files, path._record, error, false);
    }

    /// <summary>A path that the kernel has, relative to a process's working directory. ENOENT, ENAMETOOLONG, ENOMEM.</summary>
    public static PathName FromText(Process* process, scoped ReadOnlySpan<byte> text)
    {
        FileSystem files = FileSystem.Of(process);
        PathName path = Create(files);
        if (path.Error != Errno.None)
        {
            return path;
        }

        Errno error = text.Length == 0 ? Errno.ENOENT : text.Length > Capacity ? Errno.ENAMETOOLONG : Errno.None;
        if (error == Errno.None)
        {
            text.CopyTo(path.Room);
            path._record->TextLength = (ushort)text.Length;
            error = text[0] == (byte)'/' ? Errno.None : path.Begin(process, CurrentDirectory);
        }

        return new PathName(files, path._record, error, false);
    }

    private static PathName Create(FileSystem files)
    {
        PathRecord* record = files.Paths.Allocate();
        if (record != null)
        {
            record->Page = (byte*)files.Frames.Allocate();
            if (record->Page != null)
            {
                return new PathName(files, record, Errno.None, false);
            }

            files.Paths.Free(record);
        }

        return new PathName(files, null, Errno.ENOMEM, false);
    }

    /// <summary>
    /// Finds out which tree the path is in. <paramref name="node"/> is PseudoFile.None for the volume; Volume then is what to ask the
    /// storage component for (links of /proc that lead there have been followed). That a link of the volume, or a "..", leads into a tree
    /// that is served here is seen by the storage component only: it answers EREMOTE, the system call begins again
    /// (UserThread.FollowsMounts), and this asks first. ENOENT (<paramref name="node"/> is then the directory that is served here and has
    /// no such last component), ENOTDIR, EACCES, ELOOP, ENAMETOOLONG.
    /// </summary>
    public Errno Resolve(Process* process, LastLink lastLink, out PseudoNode node)
    {
        for (int links = 0; links < MaxLinks; links++)
        {
            node = default;
            if (PathText.TreeOf(Text) == PathTree.Volume)
            {
                if (!UserThread.ActingFor(process)->FollowsMounts || !CrossesMount(process, lastLink, out Errno crossing))
                {
                    return Errno.None;
                }

                if (crossing != Errno.None)
                {
                    return crossing;
                }

                continue;
            }

            Errno error = Walk(process, lastLink, out node, out bool again);
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
        if (_record != null)
        {
            Files.Frames.Free(_record->Page);
            FileNode* start = _record->Start;
            Files.Paths.Free(_record);
            if (start != null)
            {
                Files.Nodes.Release(start);
            }
        }
    }

    /// <summary>Asks the storage component whether the path leads into a tree that is served here, and goes on from there.</summary>
    [Blocks]
    private bool CrossesMount(Process* process, LastLink lastLink, out Errno error)
    {
        FileCaller caller = FileCaller.Of(process);
        using TransferBuffer buffer = Files.Buffers.Take();
        PathFlags flags = lastLink == LastLink.Keep ? PathFlags.NoFollow : PathFlags.None;
        VolumePath path = Volume;
        Errno found = StorageClient.Open(in caller, in buffer, in path, flags, 0, 0, out _, out ReadOnlySpan<byte> rest);
        error = Errno.None;
        if (found != Errno.EREMOTE)
        {
            // What else is wrong with the path is found by whoever uses it.
            return false;
        }

        error = Replace("/"u8, rest, 0) ? Errno.None : Errno.ENAMETOOLONG;
        return true;
    }

    /// <summary>Walks the pseudo tree; rewrites the path and asks for another round at a link.</summary>
    private Errno Walk(Process* process, LastLink lastLink, out PseudoNode node, out bool again)
    {
        again = false;
        node = new PseudoNode { File = PseudoFile.Root };
        PseudoNode floor = node;
        PathScope scope = _record->Scope;
        int position = 0;
        while (PathText.NextComponent(Text, ref position, out ReadOnlySpan<byte> component))
        {
            if (!PseudoTree.IsDirectory(node.File))
            {
                return Errno.ENOTDIR;
            }

            int start = position - component.Length;
            bool isGiven = position > _record->ScopeLength;
            if (PathText.IsDot(component))
            {
                continue;
            }

            if (PathText.IsDotDot(component))
            {
                PseudoNode parent = PseudoTree.ParentOf(node);
                bool isFloor = (scope & PathScope.Kept) != 0 && IsSame(node, floor);
                bool crosses = (scope & PathScope.OneFileSystem) != 0 && parent.File == PseudoFile.Root && node.File != PseudoFile.Root;
                if (crosses || (isFloor && (scope & PathScope.Beneath) != 0))
                {
                    return Errno.EXDEV;
                }

                node = isFloor ? node : parent;
                continue;
            }

            Errno searched = PseudoTree.CheckSearch(process, node);
            if (searched != Errno.None)
            {
                return searched;
            }

            if (node.File == PseudoFile.Root && !PathText.IsPseudoRoot(component))
            {
                // "/proc/../etc": back on the volume.
                again = true;
                return Replace("/"u8, Text.Slice(start), 0) ? Errno.None : Errno.ENAMETOOLONG;
            }

            if (isGiven && node.File == PseudoFile.Root && (scope & PathScope.OneFileSystem) != 0)
            {
                return Errno.EXDEV;
            }

            bool isLast = position == Text.Length;
            if (!PseudoTree.TryFind(process, node, component, out PseudoNode child))
            {
                node = PathText.HasComponent(Text.Slice(position)) ? default : node;
                return Errno.ENOENT;
            }

            if (PseudoTree.IsLink(child.File) && (!isLast || lastLink == LastLink.Follow))
            {
                Errno limited = scope == PathScope.None ? Errno.None : CheckLink(child);
                if (limited != Errno.None)
                {
                    return limited;
                }

                if (isLast && child.File == PseudoFile.ProcessDescriptor)
                {
                    // Leads to an open file, not to a name: the caller takes it from the table.
                    node = child;
                    return Errno.None;
                }

                again = true;
                return Follow(process, child, start, Text.Slice(position));
            }

            node = child;
            floor = isGiven ? floor : node;
        }

        if (node.File == PseudoFile.Root)
        {
            // "/proc/..".
            again = true;
            return Replace("/"u8, default, 0) ? Errno.None : Errno.ENAMETOOLONG;
        }

        // "/proc/meminfo/" names a directory that does not exist.
        bool isDirectory = PseudoTree.IsDirectory(node.File);
        return Text[Text.Length - 1] == (byte)'/' && !isDirectory ? Errno.ENOTDIR : Errno.None;
    }

    /// <summary>
    /// Goes on behind a link that is served here, which stands at <paramref name="start"/>. Links to an open directory lead to it, not to
    /// the name that it has.
    /// </summary>
    private Errno Follow(Process* process, PseudoNode link, int start, ReadOnlySpan<byte> rest)
    {
        Errno error = PseudoLinks.Directory(process, link, out FileNode* directory);
        if (error != Errno.None || directory != null)
        {
            return error != Errno.None ? error : GoOnFrom(directory, rest);
        }

        byte* page = (byte*)Files.Frames.Allocate();
        if (page == null)
        {
            return Errno.ENOMEM;
        }

        Span<byte> target = new(page, PageOperations.PageSize);
        error = PseudoLinks.Target(process, link, target, out int length);
        if (error == Errno.None)
        {
            int keptBytes = target[0] == (byte)'/' ? 0 : start;
            error = Replace(target.Slice(0, length), rest, keptBytes) ? Errno.None : Errno.ENAMETOOLONG;
        }

        Files.Frames.Free(page);
        return error;
    }

    /// <summary>The path becomes its rest, relative to a directory.</summary>
    private Errno GoOnFrom(FileNode* directory, ReadOnlySpan<byte> rest)
    {
        int slashes = 0;
        while (slashes < rest.Length && rest[slashes] == (byte)'/')
        {
            slashes++;
        }

        bool isDirectory = slashes == rest.Length;
        return Replace(isDirectory ? "."u8 : default, rest.Slice(slashes), 0) ? BeginAt(directory) : Errno.ENAMETOOLONG;
    }

    /// <summary>Ties a relative path to where it begins.</summary>
    private Errno Begin(Process* process, int directory)
    {
        if (directory == CurrentDirectory)
        {
            return WorkingDirectory.Of(process).IsPseudo
                ? BeginAt(WorkingDirectory.Of(process).Pseudo)
                : BeginAt(WorkingDirectory.Of(process).Node);
        }

        OpenFile* file = FileTable.Of(process)->Find((ulong)(uint)directory);
        if (file == null)
        {
            return Errno.EBADF;
        }

        if (file->Node != null)
        {
            return file->Node->IsDirectory ? BeginAt(file->Node) : Errno.ENOTDIR;
        }

        bool isPseudo = file->Kind is FileKind.PseudoDirectory or FileKind.PathOnly && PseudoTree.IsDirectory(file->Pseudo.File);
        return isPseudo ? BeginAt(file->Pseudo) : Errno.ENOTDIR;
    }

    /// <summary>Begins at a directory of the volume; null is the root.</summary>
    private Errno BeginAt(FileNode* directory)
    {
        if (directory == null)
        {
            return Prepend("/"u8) ? Errno.None : Errno.ENAMETOOLONG;
        }

        directory->References++;
        _record->Start = directory;
        int start = directory->Path.Length;
        int length = _record->TextLength;
        if (start + length <= PageOperations.PageSize)
        {
            // Overlapping, to the right: Span.CopyTo moves as memmove does.
            Room.Slice(0, length).CopyTo(Room.Slice(start));
            directory->Path.CopyTo(Room);
            _record->StartLength = (ushort)start;
        }

        return Errno.None;
    }

    private Errno BeginAt(PseudoNode directory)
    {
        Span<byte> text = stackalloc byte[PseudoLinks.MaxPathBytes];
        int length = PseudoTree.PathOf(directory, text);
        return Prepend("/"u8) && Prepend(text.Slice(0, length)) ? Errno.None : Errno.ENAMETOOLONG;
    }

    /// <summary>Puts a text in front of an absolute or fresh path; false when it gets too long.</summary>
    private bool Prepend(scoped ReadOnlySpan<byte> text)
    {
        int length = _record->TextLength;
        if (text.Length + length > Capacity)
        {
            return false;
        }

        Room.Slice(0, length).CopyTo(Room.Slice(text.Length));
        text.CopyTo(Room);
        _record->TextLength = (ushort)(text.Length + length);
        return true;
    }

    /// <summary>
    /// Keeps the first bytes of the text, then puts another one and the rest (which lies in the same frame, further right, or elsewhere).
    /// The path is absolute afterwards.
    /// </summary>
    private bool Replace(scoped ReadOnlySpan<byte> text, scoped ReadOnlySpan<byte> rest, int keptBytes)
    {
        int total = keptBytes + text.Length + rest.Length;
        if (total > Capacity)
        {
            return false;
        }

        rest.CopyTo(Room.Slice(keptBytes + text.Length));
        text.CopyTo(Room.Slice(keptBytes));
        _record->StartLength = 0;
        _record->TextLength = (ushort)total;
        FileNode* start = _record->Start;
        _record->Start = null;
        if (start != null)
        {
            Files.Nodes.Release(start);
        }

        return true;
    }
}
