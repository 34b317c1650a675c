// AT_* of the calls that take a directory descriptor and a path (openat(2), include/uapi/linux/fcntl.h). Some numbers mean different things
// to different calls.

namespace Lego.Kernel;

/// <summary>Flags of the *at calls.</summary>
public static class AtFlags
{
    /// <summary>AT_SYMLINK_NOFOLLOW.</summary>
    public const ulong NoFollow = 0x100;
    /// <summary>AT_EACCESS, of faccessat2.</summary>
    public const ulong EffectiveAccess = 0x200;
    /// <summary>AT_REMOVEDIR, of unlinkat.</summary>
    public const ulong RemoveDirectory = 0x200;
    /// <summary>AT_SYMLINK_FOLLOW, of linkat.</summary>
    public const ulong Follow = 0x400;
    /// <summary>AT_NO_AUTOMOUNT.</summary>
    public const ulong NoAutomount = 0x800;
    /// <summary>AT_EMPTY_PATH.</summary>
    public const ulong EmptyPath = 0x1000;
}
