// Memory for everything that the file part of the processor monitor keeps at run time: slabs for its kinds of objects, and the frames that
// pipes and paths take. Made once at boot; running out is ENOMEM or ENFILE for the program that asks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The allocators of open files and what belongs to them.</summary>
public static class FileObjects
{
    /// <summary>Most open files of the component (ENFILE beyond).</summary>
    private const ulong MaxOpenFiles = 65536;

    private static FrameAllocator? s_frames;
    private static Slab<OpenFile>? s_openFiles;
    private static Slab<FileTable>? s_tables;
    private static Slab<FileNode>? s_nodes;
    private static Slab<Pipe>? s_pipes;
    private static Slab<TerminalSession>? s_sessions;
    private static LockTable? s_locks;

    public static FrameAllocator Frames => s_frames!;

    public static Slab<OpenFile> OpenFiles => s_openFiles!;

    public static Slab<FileTable> Tables => s_tables!;

    public static Slab<FileNode> Nodes => s_nodes!;

    public static Slab<Pipe> Pipes => s_pipes!;

    public static Slab<TerminalSession> Sessions => s_sessions!;

    /// <summary>All locks on files.</summary>
    public static LockTable Locks => s_locks!;

    /// <summary>Takes the memory; boot time, before the first process.</summary>
    public static void Initialize(FrameAllocator frames)
    {
        s_frames = frames;
        s_openFiles = new Slab<OpenFile>(frames, MaxOpenFiles);
        s_tables = new Slab<FileTable>(frames);
        s_nodes = new Slab<FileNode>(frames);
        s_pipes = new Slab<Pipe>(frames);
        s_sessions = new Slab<TerminalSession>(frames);
        s_locks = new LockTable(frames);
        if (!s_locks.IsUsable)
        {
            Panic.Because("FileObjects.Initialize: no memory for the lock table");
        }

        TransferBuffers.Initialize(frames);
        FileNodes.Initialize(frames);
        TerminalSessions.Initialize();
        AlarmClock.Initialize();
    }

    /// <summary>Adds the counters of this part.</summary>
    public static void Report(ref StatisticsWriter writer)
    {
        writer.Add("processor.files.open"u8, OpenFiles.InUse);
        writer.Add("processor.files.tables"u8, Tables.InUse);
        writer.Add("processor.files.nodes"u8, Nodes.InUse);
        writer.Add("processor.files.pipes"u8, Pipes.InUse);
        writer.Add("processor.files.sessions"u8, Sessions.InUse);
        writer.Add("processor.files.locks"u8, Locks.Count);
    }
}
