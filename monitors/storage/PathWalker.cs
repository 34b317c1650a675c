// Walks a path over a volume as path_resolution(7) says: component by component, through "." and "..", expanding symbolic links (at most
// 40), checking search permission on the way, and keeping the canonical path of where it is. Two buffers hold the rest of the path and
// the canonical path; a walk's results point into them and are valid until the walker's next walk. May BLOCK on the device.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Storage.Ext4;

namespace Lego.Storage;

/// <summary>What a walk does with the last component.</summary>
public enum LastComponent
{
    /// <summary>A symbolic link is followed.</summary>
    Follow,
    /// <summary>A symbolic link is what was sought, unless a slash follows it.</summary>
    KeepLink,
    /// <summary>
    /// As Follow, for a regular file that is made when it is missing: a slash behind its name is EISDIR (open(2), O_CREAT).
    /// </summary>
    Create,
    /// <summary>As Create, but a symbolic link is what was sought (O_EXCL, O_NOFOLLOW).</summary>
    CreateKeepLink,
    /// <summary>
    /// Only its directory and name are sought, for operations that change the name; a slash behind it is left to the caller.
    /// </summary>
    Name,
}

/// <summary>What the last component is.</summary>
public enum LastKind { Name, Root, Dot, DotDot }

/// <summary>Where a walk begins and where it has to stop; the default is the root and nowhere.</summary>
public struct WalkStart
{
    /// <summary>The directory of a relative path; 0: only absolute paths are walked.</summary>
    public uint Directory;
    /// <summary>Names of the root directory that others serve end the walk with EREMOTE.</summary>
    public bool StopsAtMounts;
    /// <summary>The walk notes on which leases its way depends (PathWalker.Keys).</summary>
    public bool NotesKeys;
    /// <summary>NoLinks, Beneath and InRoot as PathFlags says; other flags mean nothing here.</summary>
    public PathFlags Scope;
    /// <summary>When links are read on the way, nanoseconds since 1970.</summary>
    public ulong TimeNs;
}

/// <summary>Where a path leads.</summary>
public ref struct PathTarget
{
    public LastKind Kind;
    /// <summary>The directory that has, or would have, the last name.</summary>
    public uint Directory;
    /// <summary>0 when the name is free.</summary>
    public uint Inode;
    /// <summary>Slashes follow the last component.</summary>
    public bool TrailingSlash;
    /// <summary>The last name is longer than any file's; with LastComponent.Name this is the caller's ENAMETOOLONG.</summary>
    public bool NameTooLong;
    /// <summary>Last name; empty for other kinds.</summary>
    public ReadOnlySpan<byte> Name;
    /// <summary>
    /// The path without links, "." and ".."; empty when it is longer than any path or the start's is unknown. After EREMOTE: the rest.
    /// </summary>
    public ReadOnlySpan<byte> Canonical;
}

/// <summary>One walk at a time.</summary>
public sealed unsafe class PathWalker
{
    private const int MaxLinks = 40;
    /// <summary>The path, and each link's target before what is left of it.</summary>
    private const int PendingBytes = (MaxLinks + 1) * PageOperations.PageSize;
    private const int CanonicalBytes = PathRequest.MaxPath;
    /// <summary>Two for each component: who may search its directory, and where its name leads.</summary>
    private const int MostKeys = 32;
    private const byte Slash = (byte)'/';

    private readonly Volume _volume;
    private readonly AccessTimes _accessTimes;
    private readonly byte* _pending;
    private readonly byte* _canonical;
    private readonly uint* _keys;
    private int _keyCount;
    private bool _notesKeys;

    /// <summary>The rest of the path lies at the end of its buffer, so that a link's target fits in front of it.</summary>
    private int _position;
    private int _canonicalLength;
    private int _links;
    private uint _current;
    private bool _stopsAtMounts;
    private PathFlags _scope;
    /// <summary>Where the path begins, and how much of the canonical path leads there.</summary>
    private uint _floor;
    private int _floorLength;
    private bool _isFloorLost;
    private ulong _timeNs;
    /// <summary>Where the walk is has a path, but it is not known, or too long.</summary>
    private bool _isLost;

    /// <summary>Boot time; check <see cref="IsUsable"/>.</summary>
    public PathWalker(Volume volume, AccessTimes accessTimes, FrameAllocator frames)
    {
        _volume = volume;
        _accessTimes = accessTimes;
        _pending = (byte*)frames.AllocateContiguous(PendingBytes / PageOperations.PageSize);
        _canonical = (byte*)frames.Allocate();
        _keys = (uint*)frames.Allocate();
    }

    /// <summary>False when there was no memory for the buffers.</summary>
    public bool IsUsable => _pending != null && _canonical != null && _keys != null;

    /// <summary>False when the latest walk noted no keys, or passed more than can be noted.</summary>
    public bool KnowsKeys => _notesKeys && _keyCount <= MostKeys;

    /// <summary>True when the latest walk followed a symbolic link.</summary>
    public bool FollowedLinks => _links != 0;

    /// <summary>On what the latest walk's way depends, its end included, be it a file, a free name or an error.</summary>
    public ReadOnlySpan<uint> Keys => new(_keys, KnowsKeys ? _keyCount : 0);

    /// <summary>
    /// Walks a path; <paramref name="startPath"/> is where its start is, or empty. A free last name is no error (Inode is 0). ENOENT,
    /// ENOTDIR, EACCES, ELOOP, ENAMETOOLONG, EXDEV: out of its scope, EINVAL: a NUL byte; EREMOTE: a name that others serve; EIO, EUCLEAN.
    /// </summary>
    public Errno Walk(
        scoped ReadOnlySpan<byte> path, WalkStart start, scoped ReadOnlySpan<byte> startPath, Caller caller, LastComponent last,
        out PathTarget target)
    {
        target = default;
        _notesKeys = start.NotesKeys;
        _timeNs = start.TimeNs;
        _keyCount = 0;
        if (path.Length >= PathRequest.MaxPath)
        {
            return Errno.ENAMETOOLONG;
        }

        if (path.Length == 0 || (path[0] != Slash && start.Directory == 0))
        {
            return Errno.ENOENT;
        }

        if (path.IndexOf((byte)0) >= 0)
        {
            return Errno.EINVAL;
        }

        _position = PendingBytes - path.Length;
        path.CopyTo(new Span<byte>(_pending + _position, path.Length));
        _links = 0;
        _stopsAtMounts = start.StopsAtMounts;
        GoToRoot();
        if (path[0] != Slash)
        {
            BeginAt(start.Directory, startPath);
        }

        _scope = start.Scope;
        _floor = _current;
        _floorLength = _canonicalLength;
        _isFloorLost = _isLost;
        bool done = false;
        while (!done)
        {
            Errno error = Step(caller, last, ref target, out done);
            if (error == Errno.EREMOTE)
            {
                target.Canonical = new ReadOnlySpan<byte>(_pending + _position, PendingBytes - _position);
            }

            if (error != Errno.None)
            {
                return error;
            }
        }

        target.Canonical = Canonical;
        return Errno.None;
    }

    private ReadOnlySpan<byte> Canonical =>
        _isLost ? default : _canonicalLength == 0 ? "/"u8 : new ReadOnlySpan<byte>(_canonical, _canonicalLength);

    /// <summary>Where absolute paths begin: a vNode's own root.</summary>
    private uint Root => _volume.Views.Root;

    private void GoToRoot()
    {
        _current = Root;
        _canonicalLength = 0;
        _isLost = false;
    }

    /// <summary>Begins at a directory; its path is empty when it is not known.</summary>
    private void BeginAt(uint directory, scoped ReadOnlySpan<byte> path)
    {
        _current = directory;
        _isLost = path.Length is 0 or > CanonicalBytes;
        if (!_isLost && path.Length > 1)
        {
            path.CopyTo(new Span<byte>(_canonical, CanonicalBytes));
            _canonicalLength = path.Length;
        }
    }

    /// <summary>Takes one component from the rest of the path.</summary>
    private Errno Step(Caller caller, LastComponent last, ref PathTarget target, out bool done)
    {
        done = true;
        SkipSlashes();
        if (_position == PendingBytes)
        {
            target = new PathTarget { Kind = LastKind.Root, Directory = _current, Inode = _current };
            return Errno.None;
        }

        int nameStart = _position;
        ReadOnlySpan<byte> name = TakeName();
        bool trailing = _position != PendingBytes;
        SkipSlashes();
        bool isLast = _position == PendingBytes;
        target.TrailingSlash = isLast && trailing;
        using InodeHandle directory = _volume.Inodes.Open(_current, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        Note(LeaseKey.Access(_current));
        error = directory.IsDirectory ? caller.Check(directory, AccessRights.Execute) : Errno.ENOTDIR;
        if (error != Errno.None)
        {
            return error;
        }

        done = isLast;
        if (name.SequenceEqual("."u8))
        {
            target.Kind = LastKind.Dot;
            target.Directory = _current;
            target.Inode = _current;
            return Errno.None;
        }

        Note(LeaseKey.Name(_current, name));
        if (name.SequenceEqual(".."u8))
        {
            return GoUp(directory, ref target);
        }

        if (_stopsAtMounts && _current == Root && MountNames.Has(name))
        {
            _position = nameStart;
            return Errno.EREMOTE;
        }

        if (target.TrailingSlash && last is (LastComponent.Create or LastComponent.CreateKeepLink))
        {
            return Errno.EISDIR;
        }

        if (name.Length > DirectoryEntry.MaxNameBytes)
        {
            target = new PathTarget { Directory = _current, NameTooLong = true };
            return isLast && last == LastComponent.Name ? Errno.None : Errno.ENAMETOOLONG;
        }

        error = _volume.Directories.Find(directory, name, out uint found, out _);
        if (error == Errno.ENOENT && isLast)
        {
            return Arrive(name, 0, ref target);
        }

        return error != Errno.None ? error : Enter(name, found, last, isLast, ref target, ref done);
    }

    private Errno GoUp(in InodeHandle directory, ref PathTarget target)
    {
        bool isFloor = _current == _floor;
        if (isFloor && (_scope & PathFlags.Beneath) != 0)
        {
            return Errno.EXDEV;
        }

        if (_current != Root && !(isFloor && (_scope & PathFlags.InRoot) != 0))
        {
            Errno error = _volume.Directories.Find(directory, ".."u8, out _current, out _);
            if (error != Errno.None)
            {
                return error == Errno.ENOENT ? Errno.EUCLEAN : error;
            }

            if (!_volume.Views.IsRevealed(_current))
            {
                // It was moved out of its vNode's tree: there is no way up from it.
                return Errno.ENOENT;
            }

            while (_canonicalLength > 0 && _canonical[--_canonicalLength] != Slash)
            {
            }

            if (_current == Root)
            {
                GoToRoot();
            }
        }

        target.Kind = LastKind.DotDot;
        target.Directory = _current;
        target.Inode = _current;
        return Errno.None;
    }

    private Errno Enter(ReadOnlySpan<byte> name, uint found, LastComponent last, bool isLast, ref PathTarget target, ref bool done)
    {
        using InodeHandle inode = _volume.Inodes.Open(found, out Errno error);
        if (error != Errno.None)
        {
            return error;
        }

        _volume.Views.Reveal(found);
        bool follow = !isLast || last is LastComponent.Follow or LastComponent.Create
            || (last == LastComponent.KeepLink && target.TrailingSlash);
        if (inode.IsSymbolicLink && follow)
        {
            done = false;
            return Expand(inode, target.TrailingSlash);
        }

        if (!inode.IsDirectory && (!isLast || (target.TrailingSlash && last != LastComponent.Name)))
        {
            return Errno.ENOTDIR;
        }

        if (isLast)
        {
            return Arrive(name, found, ref target);
        }

        _current = found;
        Append(name);
        return Errno.None;
    }

    private Errno Arrive(ReadOnlySpan<byte> name, uint found, ref PathTarget target)
    {
        Append(name);
        target.Kind = LastKind.Name;
        target.Directory = _current;
        target.Inode = found;
        // It lies in the rest of the path, which no link changes any more.
        target.Name = name;
        return Errno.None;
    }

    /// <summary>Puts a symbolic link's target in front of the rest of the path.</summary>
    private Errno Expand(in InodeHandle link, bool trailingSlash)
    {
        if (++_links > MaxLinks || (_scope & PathFlags.NoLinks) != 0)
        {
            return Errno.ELOOP;
        }

        Errno error = _volume.Files.ReadTarget(link, out ReadOnlySpan<byte> text);
        if (error != Errno.None)
        {
            return error;
        }

        // A slash separates the two, or keeps the one that stood behind the link.
        bool needsSlash = trailingSlash || _position != PendingBytes;
        int total = text.Length + (needsSlash ? 1 : 0);
        if (total > _position)
        {
            return Errno.ENAMETOOLONG;
        }

        if (text.IndexOf((byte)0) >= 0)
        {
            return Errno.EUCLEAN;
        }

        _position -= total;
        text.CopyTo(new Span<byte>(_pending + _position, text.Length));
        if (needsSlash)
        {
            _pending[_position + text.Length] = Slash;
        }

        if (text[0] == Slash)
        {
            if ((_scope & PathFlags.Beneath) != 0)
            {
                return Errno.EXDEV;
            }

            GoToRoot();
            if ((_scope & PathFlags.InRoot) != 0)
            {
                // What leads there still stands in front of where the walk has been.
                _current = _floor;
                _canonicalLength = _floorLength;
                _isLost = _isFloorLost;
            }
        }

        _accessTimes.MarkRead(link, _timeNs);
        return Errno.None;
    }

    private void Append(ReadOnlySpan<byte> name)
    {
        // Deeper than a path can say is allowed, as long as the path that was asked for is not too long itself.
        _isLost |= _canonicalLength + 1 + name.Length >= CanonicalBytes;
        if (_isLost)
        {
            return;
        }

        _canonical[_canonicalLength++] = Slash;
        name.CopyTo(new Span<byte>(_canonical + _canonicalLength, name.Length));
        _canonicalLength += name.Length;
    }

    private void Note(uint key)
    {
        if (_notesKeys && _keyCount++ < MostKeys)
        {
            _keys[_keyCount - 1] = key;
        }
    }

    private void SkipSlashes()
    {
        while (_position < PendingBytes && _pending[_position] == Slash)
        {
            _position++;
        }
    }

    /// <summary>The next name; it stays where it is until the next link is expanded.</summary>
    private ReadOnlySpan<byte> TakeName()
    {
        int start = _position;
        while (_position < PendingBytes && _pending[_position] != Slash)
        {
            _position++;
        }

        return new ReadOnlySpan<byte>(_pending + start, _position - start);
    }
}
