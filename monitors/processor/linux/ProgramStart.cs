// The start of a program for the manager (LegoOS: PM2P_START_PROC): the first process of a session, with the three standard streams
// attached. Runs in a worker thread of the RPC endpoint, BLOCKS while the program is loaded.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>First processes of sessions.</summary>
public static unsafe class ProgramStart
{
    private const ulong Unlimited = ulong.MaxValue;

    /// <summary>
    /// Starts the program, in a vNode, of a StartProcess request whose strings are cwd, arguments, environment, each NUL-terminated. The
    /// first argument is the program: with a slash a path, else it is searched in the environment's PATH. Gives its id, or what execve
    /// says about it.
    /// </summary>
    public static Errno Start(Processes table, ushort vnode, in StartProcessRequest request, ReadOnlySpan<byte> text, out uint processId)
    {
        processId = 0;
        int cwdEnd = text.IndexOf((byte)0);
        if (cwdEnd <= 0 || request.ArgumentCount == 0 || text[text.Length - 1] != 0)
        {
            return Errno.EINVAL;
        }

        Process* process = table.VNodes.MayHaveProcess(vnode) ? table.Create() : null;
        if (process == null)
        {
            return Errno.EAGAIN;
        }

        process->Group = process->Id;
        process->SessionId = process->Id;
        process->VNode = vnode;
        process->TerminalSession = request.Session;
        process->Place = request.Place;
        SetDefaultLimits(process);
        ReadOnlySpan<byte> strings = text.Slice(cwdEnd + 1);
        Errno error = Equip(process, in request, text.Slice(0, cwdEnd));

        if (error == Errno.None)
        {
            error = LoadAndRun(process, in request, strings);
        }

        if (error != Errno.None)
        {
            ProcessFork.Abandon(process);
            return error;
        }

        processId = process->Id;
        return Errno.None;
    }

    /// <summary>Gives the process its standard streams and its working directory.</summary>
    private static Errno Equip(Process* process, in StartProcessRequest request, ReadOnlySpan<byte> cwd)
    {
        FileSystem files = FileSystem.Of(process);
        FileTable* table = FileTable.Create(files);
        if (table == null)
        {
            return Errno.ENOMEM;
        }

        if (!files.Give(process, table, PathContext.Create(files)))
        {
            FileTable.Release(table);
            return Errno.ENOMEM;
        }

        Errno error = StandardStreams.Attach(process, in request);
        FileNode* directory = null;
        error = error == Errno.None ? FileOpening.FindDirectory(process, cwd, out directory) : error;
        if (error == Errno.None)
        {
            WorkingDirectory.Set(ref WorkingDirectory.Of(process), directory);
        }

        return error;
    }

    private static Errno LoadAndRun(Process* process, in StartProcessRequest request, ReadOnlySpan<byte> strings)
    {
        int nameEnd = strings.IndexOf((byte)0);
        if (nameEnd <= 0)
        {
            return Errno.ENOENT;
        }

        ReadOnlySpan<byte> name = strings.Slice(0, nameEnd);
        using Scratch scratch = process->Table.Scratch.Take();
        Errno error = Errno.ENOENT;
        AddressSpace* space = null;
        LoadedProgram program = default;
        if (name.IndexOf((byte)'/') >= 0)
        {
            error = Load(process, in request, name, strings, in scratch, out space, out program);
        }
        else
        {
            error = SearchPath(process, in request, name, strings, in scratch, out space, out program);
        }

        if (error != Errno.None)
        {
            return error;
        }

        process->Space = space;
        ProcessExecute.Adopt(process->Leader, in program, &process->Leader->Initial);
        process->LeadsTerminalSession = true;
        ProcessFamily.Adopt(process->Table.Init, process);
        process->State = ProcessState.Running;
        return process->Table.Threads.Spawn(process->Leader) ? Errno.None : Errno.EAGAIN;
    }

    /// <summary>execvp(3): each directory of PATH in turn; EACCES is remembered, other errors but ENOENT end the search.</summary>
    private static Errno SearchPath(Process* process, in StartProcessRequest request, ReadOnlySpan<byte> name, ReadOnlySpan<byte> strings,
        in Scratch scratch, out AddressSpace* space, out LoadedProgram program)
    {
        space = null;
        program = default;
        Errno result = Errno.ENOENT;
        ReadOnlySpan<byte> path = FindVariable(strings, request.ArgumentCount, "PATH="u8);
        if (path.Length == 0)
        {
            path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"u8;
        }

        Span<byte> candidate = stackalloc byte[MaxCandidate];
        while (path.Length != 0)
        {
            int colon = path.IndexOf((byte)':');
            ReadOnlySpan<byte> directory = colon < 0 ? path : path.Slice(0, colon);
            path = colon < 0 ? default : path.Slice(colon + 1);
            if (directory.Length + 1 + name.Length > MaxCandidate)
            {
                continue;
            }

            directory.CopyTo(candidate);
            candidate[directory.Length] = (byte)'/';
            name.CopyTo(candidate.Slice(directory.Length + 1));
            ReadOnlySpan<byte> full = candidate.Slice(0, directory.Length + 1 + name.Length);
            Errno error = Load(process, in request, directory.Length == 0 ? name : full, strings, in scratch, out space, out program);
            if (error is not (Errno.ENOENT or Errno.ENOTDIR or Errno.EACCES))
            {
                return error;
            }

            if (error == Errno.EACCES)
            {
                result = error;
            }
        }

        return result;
    }

    private const int MaxCandidate = 512;

    private static Errno Load(Process* process, in StartProcessRequest request, ReadOnlySpan<byte> path, ReadOnlySpan<byte> strings,
        in Scratch scratch, out AddressSpace* space, out LoadedProgram program)
    {
        space = null;
        program = default;
        int split = EndOf(strings, request.ArgumentCount);
        int end = split + EndOf(strings.Slice(split), request.EnvironmentCount);
        Errno error = ProgramWords.Create(scratch.Request, path, out ProgramWords words);
        words.ArgumentBlock = strings.Slice(0, split);
        words.EnvironmentBlock = strings.Slice(split, end - split);
        return error == Errno.None ? ProcessExecute.Load(process, ref words, in scratch, out space, out program) : error;
    }

    /// <summary>Where the first strings of a block end.</summary>
    private static int EndOf(ReadOnlySpan<byte> strings, uint count)
    {
        int end = 0;
        for (; count > 0 && end < strings.Length; count--)
        {
            int length = strings.Slice(end).IndexOf((byte)0);
            end = length < 0 ? strings.Length : end + length + 1;
        }

        return end;
    }

    private static ReadOnlySpan<byte> FindVariable(ReadOnlySpan<byte> strings, uint skip, ReadOnlySpan<byte> name)
    {
        for (uint index = 0; strings.Length != 0; index++)
        {
            int end = strings.IndexOf((byte)0);
            if (end < 0)
            {
                break;
            }

            ReadOnlySpan<byte> text = strings.Slice(0, end);
            if (index >= skip && text.StartsWith(name))
            {
                return text.Slice(name.Length);
            }

            strings = strings.Slice(end + 1);
        }

        return default;
    }

    private static void SetDefaultLimits(Process* process)
    {
        for (int index = 0; index < 2 * Process.LimitCount; index++)
        {
            process->Limits[index] = Unlimited;
        }

        SetLimit(process, ResourceLimit.Stack, 8UL << 20, Unlimited);
        SetLimit(process, ResourceLimit.Core, 0, Unlimited);
        SetLimit(process, ResourceLimit.Processes, Processes.MaxProcesses, Processes.MaxProcesses);
        SetLimit(process, ResourceLimit.Files, 1024, 4096);
        SetLimit(process, ResourceLimit.LockedMemory, 8UL << 20, 8UL << 20);
        SetLimit(process, ResourceLimit.PendingSignals, 4096, 4096);
        SetLimit(process, ResourceLimit.MessageQueues, 819200, 819200);
        SetLimit(process, ResourceLimit.Nice, 0, 0);
        SetLimit(process, ResourceLimit.RealTime, 0, 0);
    }

    private static void SetLimit(Process* process, int index, ulong soft, ulong hard)
    {
        process->Limits[2 * index] = soft;
        process->Limits[(2 * index) + 1] = hard;
    }
}
