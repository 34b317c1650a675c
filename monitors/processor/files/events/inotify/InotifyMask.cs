// The bits of inotify(7): what can happen to a watched file, what an event says besides, and how a watch is made. The numbers are Linux's
// (include/uapi/linux/inotify.h).

namespace Lego.Processor;

/// <summary>IN_* of inotify(7).</summary>
[System.Flags]
public enum InotifyMask : uint
{
    None = 0,
    Access = 1,
    Modify = 2,
    Attributes = 4,
    CloseWrite = 8,
    CloseNoWrite = 0x10,
    Open = 0x20,
    MovedFrom = 0x40,
    MovedTo = 0x80,
    Create = 0x100,
    Delete = 0x200,
    DeleteSelf = 0x400,
    MoveSelf = 0x800,
    /// <summary>IN_ALL_EVENTS.</summary>
    AllEvents = 0xFFF,
    /// <summary>A name became another one in the same directory: for F_NOTIFY alone.</summary>
    RenamedHere = 0x1000,
    Unmount = 0x2000,
    QueueOverflow = 0x4000,
    /// <summary>The watch is gone.</summary>
    Ignored = 0x8000,
    OnlyDirectory = 0x100_0000,
    DoNotFollow = 0x200_0000,
    /// <summary>No events of files that have lost the name they were opened by.</summary>
    ExcludeUnlinked = 0x400_0000,
    MaskCreate = 0x1000_0000,
    MaskAdd = 0x2000_0000,
    IsDirectory = 0x4000_0000,
    OneShot = 0x8000_0000,
    /// <summary>What a watch remembers.</summary>
    Remembered = AllEvents | ExcludeUnlinked | OneShot,
    /// <summary>A watch without any of them is refused (inotify_add_watch(2), EINVAL).</summary>
    Known = AllEvents | Unmount | QueueOverflow | Ignored | OnlyDirectory | DoNotFollow | ExcludeUnlinked | MaskCreate | MaskAdd
        | IsDirectory | OneShot,
}
