// Every message kind of the rack. The high byte is the group; docs/protocol.md describes each, with its request and reply.
// Names follow LegoOS where its release has the message (PCACHE_MISS, PCACHE_FLUSH, M2MM_CONSULT, PM2P_START_PROC ...).

namespace Lego.Fabric.Messages;

/// <summary>What a request asks for. The value is the wire format; never renumber.</summary>
public enum Opcode : ushort
{
    None = 0,

    // Group 0: the fabric itself.
    /// <summary>Replies with the request's body: liveness and the measuring floor.</summary>
    Echo = 0x0001,

    // Group 1, processor -> memory: lines of the ExCache (MemoryMessages.cs).
    Miss = 0x0101,
    MissFlush = 0x0102,
    Flush = 0x0103,

    // Group 2, processor -> home memory, and home -> owners of vRegions: address spaces (SpaceMessages.cs, MoveMessages.cs).
    Execute = 0x0201,
    Fork = 0x0202,
    Exit = 0x0203,
    Map = 0x0204,
    Unmap = 0x0205,
    Protect = 0x0206,
    Remap = 0x0207,
    Break = 0x0208,
    Discard = 0x0209,
    Grant = 0x020A,
    CopyPages = 0x020B,
    Owners = 0x020C,
    Move = 0x020D,
    PutPages = 0x020E,
    Drain = 0x020F,

    // Group 3, processor -> memory: file contents through the file cache (FileMessages.cs).
    FileRead = 0x0301,
    FileWrite = 0x0302,
    FileSync = 0x0303,
    FileTruncate = 0x0304,
    FileStatus = 0x0305,
    FileForget = 0x0306,

    // Group 4, processor or memory -> storage: the name space and the blocks of files (PathMessages.cs, StorageMessages.cs).
    Open = 0x0401,
    MakeNode = 0x0402,
    Unlink = 0x0403,
    Rename = 0x0404,
    Link = 0x0405,
    ReadLink = 0x0406,
    ReadDirectory = 0x0407,
    SetAttributes = 0x0408,
    VolumeStatus = 0x0409,
    Release = 0x040A,
    ReadAttribute = 0x040B,
    ChangeAttribute = 0x040C,
    StorageRead = 0x0410,
    StorageWrite = 0x0411,
    StorageSync = 0x0412,
    StorageTruncate = 0x0413,
    StorageStatus = 0x0414,
    StorageReserve = 0x0415,
    StorageFindData = 0x0416,
    StorageDigHoles = 0x0417,
    StorageAllocate = 0x0418,

    // Group 5: membership and the managers (ManagerMessages.cs). Any component takes Membership; the others are the manager's.
    Join = 0x0501,
    Heartbeat = 0x0502,
    Membership = 0x0503,
    Consult = 0x0504,
    Place = 0x0505,
    Leave = 0x0506,
    ProcessExited = 0x0511,
    StandardOutput = 0x0512,
    StandardInputWanted = 0x0513,
    TerminalModes = 0x0514,

    // Group 6, manager -> processor: programs and their standard input (ManagerMessages.cs).
    StartProcess = 0x0601,
    StandardInput = 0x0602,
    SignalProcess = 0x0603,
    OutputCredit = 0x0604,
    WindowSize = 0x0605,

    // Group 7, storage or memory -> processor: what is remembered there (LeaseMessages.cs).
    Recall = 0x0701,

    // Group 8, manager -> processor, memory, storage: vNodes (VNodeMessages.cs).
    AdmitVNode = 0x0801,
    EndVNode = 0x0802,
    ForgetVNode = 0x0803,
    VNodeStatus = 0x0804,
    NextVNode = 0x0805,
}
