// How a path may be walked beyond what path_resolution(7) says: RESOLVE_* of openat2(2).

using System;

namespace Lego.Processor;

/// <summary>What a path must not do; the values are those of Linux.</summary>
[Flags]
public enum PathScope : uint
{
    None = 0,
    /// <summary>Cross into another file system, as /proc, /dev and /sys are: EXDEV (RESOLVE_NO_XDEV).</summary>
    OneFileSystem = 1,
    /// <summary>Follow a link of /proc that leads to an object and not to a name: ELOOP (RESOLVE_NO_MAGICLINKS).</summary>
    NoMagicLinks = 2,
    /// <summary>Follow any symbolic link: ELOOP (RESOLVE_NO_SYMLINKS).</summary>
    NoLinks = 4,
    /// <summary>Leave the directory where it begins: EXDEV (RESOLVE_BENEATH).</summary>
    Beneath = 8,
    /// <summary>The directory where it begins is the root (RESOLVE_IN_ROOT).</summary>
    InRoot = 16,
    /// <summary>Ask the storage component: EAGAIN (RESOLVE_CACHED).</summary>
    KnownOnly = 32,

    /// <summary>Those that keep the path in its place.</summary>
    Kept = Beneath | InRoot,
    /// <summary>Those for which a way that was once found says nothing.</summary>
    Walked = OneFileSystem | NoMagicLinks | NoLinks | Kept,
    All = Walked | KnownOnly,
}
