// What openat2(2) may forbid a path (PathScope), as far as this component sees where it goes: where it begins, and the links that are
// served here. The rest is the storage component's (PathWalker).

using Lego.Kernel;

namespace Lego.Processor;

public readonly unsafe ref partial struct PathName
{
    /// <summary>
    /// Ties a path of openat2(2) to where it begins, which may be its root as well. EXDEV: it is absolute and must not be.
    /// </summary>
    private Errno Limit(Process* process, int directory, PathScope scope)
    {
        _record->Scope = scope;
        bool isAbsolute = Room[0] == (byte)'/';
        if (isAbsolute && (scope & PathScope.Beneath) != 0)
        {
            return Errno.EXDEV;
        }

        if (isAbsolute && (scope & PathScope.InRoot) != 0)
        {
            int slashes = 0;
            while (slashes < _record->TextLength && Room[slashes] == (byte)'/')
            {
                slashes++;
            }

            bool isRoot = slashes == _record->TextLength;
            Room.Slice(slashes, _record->TextLength - slashes).CopyTo(Room);
            _record->TextLength -= (ushort)slashes;
            if (isRoot)
            {
                Room[0] = (byte)'.';
                _record->TextLength = 1;
            }

            isAbsolute = false;
        }

        int length = _record->TextLength;
        Errno error = isAbsolute ? Errno.None : Begin(process, directory);
        _record->ScopeLength = (ushort)(_record->Start == null ? _record->TextLength - length : 0);
        return error;
    }

    private static bool IsSame(PseudoNode one, PseudoNode other) =>
        one.File == other.File && one.ProcessId == other.ProcessId && one.ThreadId == other.ThreadId;

    /// <summary>Whether the path's scope lets it follow a link that is served here (Linux: pick_link, nd_jump_link).</summary>
    private Errno CheckLink(PseudoNode link)
    {
        PathScope scope = _record->Scope;
        bool isMagic = link.File is PseudoFile.ProcessDescriptor or PseudoFile.ProcessCwd or PseudoFile.ProcessExe
            or PseudoFile.ProcessRoot;
        // Those of /dev are absolute and lead into /proc.
        bool isAbsolute = !isMagic && link.File is not (PseudoFile.ProcSelf or PseudoFile.ProcThreadSelf or PseudoFile.ProcMounts);
        if ((scope & PathScope.NoLinks) != 0 || (isMagic && (scope & PathScope.NoMagicLinks) != 0))
        {
            return Errno.ELOOP;
        }

        bool leaves = isMagic ? (scope & (PathScope.OneFileSystem | PathScope.Kept)) != 0
            : isAbsolute && (scope & (PathScope.OneFileSystem | PathScope.Beneath)) != 0;
        return leaves ? Errno.EXDEV
            : isAbsolute && (scope & PathScope.InRoot) != 0 && _record->ScopeLength > 1 ? Errno.ENOENT
            : Errno.None;
    }
}
