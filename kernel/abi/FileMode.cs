// st_mode of Linux, and with it i_mode of ext4: the type of a file and its permissions (inode(7)).

namespace Lego.Kernel;

/// <summary>The types (S_IF*) and permission bits of a mode.</summary>
public static class FileMode
{
    public const uint TypeMask = 0xF000;
    public const uint Fifo = 0x1000;
    public const uint CharacterDevice = 0x2000;
    public const uint Directory = 0x4000;
    public const uint BlockDevice = 0x6000;
    public const uint Regular = 0x8000;
    public const uint SymbolicLink = 0xA000;
    public const uint Socket = 0xC000;
    public const uint PermissionMask = 0xFFF;
    public const uint SetUserId = 0x800;
    public const uint SetGroupId = 0x400;
    public const uint Sticky = 0x200;
    public const uint GroupExecute = 0x8;

    /// <summary>What a directory entry says about the type (DT_*, readdir(3)).</summary>
    public static byte EntryType(uint mode) => (byte)((mode & TypeMask) >> 12);
}
