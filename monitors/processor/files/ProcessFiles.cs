// What a process has of the file system: its descriptors, and where it is with the permissions that new files lack. Each of the two parts
// is the process's own or shared with others (CLONE_FILES, CLONE_FS of clone(2)). In slabs; hangs on Process.Resources from birth to end.

namespace Lego.Processor;

/// <summary>Files of one process.</summary>
public unsafe struct ProcessFiles
{
    public FileTable* Table;
    public PathContext* Context;
}

/// <summary>Where paths begin and what new files are like: Linux's fs_struct, without a root of its own.</summary>
public unsafe struct PathContext
{
    /// <summary>umask of a program that has set none.</summary>
    private const uint DefaultUmask = 0x12;

    /// <summary>Processes that use it.</summary>
    public uint References;
    /// <summary>Permissions that new files do not get (umask(2)).</summary>
    public uint Umask;
    public WorkingDirectory Cwd;

    /// <summary>That of a process which has not ended.</summary>
    public static PathContext* Of(Process* process) => ((ProcessFiles*)process->Resources)->Context;

    /// <summary>One for a process that nobody has forked, at the root; null when memory is exhausted.</summary>
    public static PathContext* Create(FileSystem files)
    {
        PathContext* context = files.PathContexts.Allocate();
        if (context != null)
        {
            context->References = 1;
            context->Umask = DefaultUmask;
        }

        return context;
    }

    /// <summary>A copy for another process; null when memory is exhausted.</summary>
    public static PathContext* Copy(FileSystem files, PathContext* from)
    {
        PathContext* context = Create(files);
        if (context != null)
        {
            context->Umask = from->Umask;
            context->Cwd = WorkingDirectory.Copy(in from->Cwd);
        }

        return context;
    }

    /// <summary>One user less. May BLOCK (the working directory is let go).</summary>
    public static void Release(FileSystem files, PathContext* context)
    {
        if (--context->References == 0)
        {
            WorkingDirectory.Release(ref context->Cwd);
            files.PathContexts.Free(context);
        }
    }
}
