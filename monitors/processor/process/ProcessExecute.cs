// execve(2) and the start of a program for the manager: the home memory component loads the file into a new address space (Execute), the
// words are copied onto its stack (ProgramStack), and only when all that has succeeded does the old space go. Scripts ("#!", execve(2)) are
// rewritten here: the home says ENOEXEC, the first bytes of the file say which interpreter. So is the dynamic linker of a program that
// names one (PT_INTERP) looked up here: the home says ELIBACC and its name. BLOCKS.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Where a new program begins.</summary>
public struct LoadedProgram
{
    public ulong InstructionPointer;
    public ulong StackPointer;
}

/// <summary>Loads programs.</summary>
public static unsafe class ProcessExecute
{
    private const int MaxInterpreters = 4;
    private const int ScriptLineBytes = InterpreterLine.MaxBytes;
    /// <summary>Pages of a program that are mapped before it starts, of those that are resident: a few megabytes take no time.</summary>
    private const int MostPagesMapped = 1024;

    /// <summary>
    /// execve of the current process. On success the registers are the new program's. An <paramref name="unreachable"/> path is that of a
    /// descriptor that execve closes. ENOENT: such a script.
    /// </summary>
    public static Errno Execute(UserThread* thread, ReadOnlySpan<byte> path, ulong arguments, ulong environment, bool unreachable)
    {
        Process* process = thread->Process;
        // No buffer is held while the other threads end: they may wait for one.
        Errno error = Gather(process, path, arguments, environment, unreachable, out AddressSpace* space, out LoadedProgram program);
        if (error != Errno.None)
        {
            return error;
        }

        error = process->Table.UnshareActions(process) ? process->Table.Resources!.Unshare(process, CloneFlags.Files) : Errno.ENOMEM;
        if (error == Errno.None)
        {
            error = ThreadExit.EndOthers(thread);
        }

        if (error != Errno.None)
        {
            process->Table.Spaces.Release(space);
            return error;
        }

        ReplaceProgram(thread, space);
        Adopt(thread, in program, thread->User);
        ExtendedState.Load(thread->ExtendedState.Area);
        return Errno.None;
    }

    /// <summary>Loads the file and copies the strings from the program's memory.</summary>
    private static Errno Gather(Process* process, ReadOnlySpan<byte> path, ulong arguments, ulong environment, bool unreachable,
        out AddressSpace* space, out LoadedProgram program)
    {
        space = null;
        program = default;
        using Scratch scratch = process->Table.Scratch.Take();
        Errno error = ProgramWords.Create(scratch.Request, path, out ProgramWords words);
        words.ArgumentArray = arguments;
        words.EnvironmentArray = environment;
        words.IsUnreachable = unreachable;
        return error == Errno.None ? Load(process, ref words, in scratch, out space, out program) : error;
    }

    /// <summary>
    /// Loads the program that the words name into a new space, following interpreter lines, and builds its stack. Sets the executable's
    /// path and the command name of the process, which is a script's own, not its interpreter's. The caller installs the space.
    /// </summary>
    public static Errno Load(Process* process, ref ProgramWords words, in Scratch scratch, out AddressSpace* space,
        out LoadedProgram program)
    {
        Span<byte> reply = scratch.Reply;
        space = null;
        program = default;
        Process.NameBuffer name = default;
        Processes.WriteName(words.Path, name);
        for (int level = 0; level <= MaxInterpreters; level++)
        {
            Errno error = Find(process, words.Path, reply, out OpenReply found, out int canonicalLength, out uint backing);
            if (error != Errno.None)
            {
                return error;
            }

            ExecuteHead head = new(reply, canonicalLength);
            Span<byte> answer = reply.Slice(0, reply.Length - ExecuteHead.MaxBytes);
            error = LoadFile(process, in found, backing, head, answer, out space, out ExecuteReply loaded);
            if (error == Errno.None)
            {
                error = BuildStack(process, space, in words, in loaded, scratch.Request.Slice(ProgramWords.BufferBytes), out program);
                if (error != Errno.None)
                {
                    process->Table.Spaces.Release(space);
                    space = null;
                }
            }

            if (error == Errno.None)
            {
                Processes.SetText(process->Executable, head.File);
                process->Name = name;
                process->Table.Backings.Drop(backing);
                return Errno.None;
            }

            if (error == Errno.ENOEXEC)
            {
                error = FollowInterpreterLine(process, ref words, head.File, in found, backing, answer);
            }

            process->Table.Backings.Drop(backing);
            if (error != Errno.None)
            {
                return error;
            }
        }

        return Errno.ELOOP;
    }

    /// <summary>Gives a thread the registers that a new program starts with.</summary>
    public static void Adopt(UserThread* thread, in LoadedProgram program, UserContext* user)
    {
        user->Reset(program.InstructionPointer, program.StackPointer);
        thread->ExtendedState.Area->Reset();
        thread->InitialFsBase = 0;
    }

    /// <summary>The layer above finds the file, wherever the path leads.</summary>
    private static Errno Find(Process* process, ReadOnlySpan<byte> path, Span<byte> reply, out OpenReply found, out int canonicalLength,
        out uint backing) =>
        process->Table.Backings.Owner!.OpenProgram(
            process, path, reply.Slice(0, sizeof(OpenReply) + PathRequest.MaxPath), out found, out canonicalLength, out backing);

    /// <summary>
    /// Asks the home to load the file, and once more with the dynamic linker that the program names. ENOEXEC: no program; ELIBBAD: the
    /// linker is none; ENOENT, EACCES, ... of the linker's path.
    /// </summary>
    private static Errno LoadFile(Process* process, in OpenReply found, uint backing, ExecuteHead head, Span<byte> answer,
        out AddressSpace* space, out ExecuteReply program)
    {
        Processes table = process->Table;
        ExecuteRequest request = new()
        {
            Storage = table.Cache.Objects.IdentityOf(backing).Volume,
            FilePathLength = (ushort)head.File.Length,
            File = found.Attributes.Handle,
            Backing = backing,
        };
        Errno error = Request(process, in request, head, answer, out space, out program, out int nameLength);
        if (error != Errno.ELIBACC)
        {
            return error;
        }

        error = head.TakeInterpreter(answer.Slice(0, nameLength));
        OpenReply linker = default;
        int pathLength = 0;
        error = error != Errno.None
            ? error
            : Find(process, head.Interpreter, answer, out linker, out pathLength, out request.InterpreterBacking);
        if (error != Errno.None)
        {
            return error;
        }

        error = head.TakeInterpreter(answer.Slice(sizeof(OpenReply), pathLength));
        request.Interpreter = linker.Attributes.Handle;
        request.InterpreterStorage = table.Cache.Objects.IdentityOf(request.InterpreterBacking).Volume;
        request.InterpreterPathLength = (ushort)pathLength;
        error = error != Errno.None ? error : Request(process, in request, head, answer, out space, out program, out _);
        table.Backings.Drop(request.InterpreterBacking);
        return error;
    }

    /// <summary>An Execute that waits for memory that others are giving back.</summary>
    private static Errno Request(Process* process, in ExecuteRequest request, ExecuteHead head, Span<byte> answer,
        out AddressSpace* space, out ExecuteReply program, out int nameLength)
    {
        MemoryShortage shortage = default;
        Errno error;
        do
        {
            error = TryRequest(process, in request, head, answer, out space, out program, out nameLength);
        }
        while (error == Errno.ENOMEM && shortage.IsPassing(process));

        return error;
    }

    /// <summary>One Execute into a new space. With ELIBACC the answer begins with a name of so many bytes.</summary>
    private static Errno TryRequest(Process* process, in ExecuteRequest request, ExecuteHead head, Span<byte> answer,
        out AddressSpace* space, out ExecuteReply program, out int nameLength)
    {
        program = default;
        nameLength = 0;
        space = process->Table.Spaces.Create(process->Place.HomeMemory, process->VNode);
        if (space == null)
        {
            return Errno.ENOMEM;
        }

        Processes table = process->Table;
        Errno error = table.Backings.Add(space, request.Backing, BackingUse.Program);
        error = error == Errno.None ? table.Backings.Add(space, request.Backing, BackingUse.Mapped) : error;
        if (error == Errno.None && request.InterpreterBacking != 0)
        {
            error = table.Backings.Add(space, request.InterpreterBacking, BackingUse.Mapped);
        }

        if (error != Errno.None)
        {
            table.Spaces.Discard(space);
            space = null;
            return error;
        }

        RpcContext context = Spaces.ContextOf(space);
        error = table.Rpc.Call(space->Home, Opcode.Execute, in context, head.Write(in request), default, answer, out int received);
        if (error == Errno.None && received < sizeof(ExecuteReply))
        {
            error = Errno.EPROTO;
        }

        if (error is Errno.EPROTO or Errno.ETIMEDOUT)
        {
            // The home may have made the space all the same.
            table.Spaces.Release(space);
            space = null;
            return error;
        }

        if (error != Errno.None)
        {
            nameLength = received;
            table.Spaces.Discard(space);
            space = null;
            return error;
        }

        program = MemoryMarshal.Read<ExecuteReply>(answer);
        error = space->Apply(table.Frames, program.VmaCount, program.RegionCount,
            answer.Slice(sizeof(ExecuteReply), received - sizeof(ExecuteReply)));
        if (error == Errno.None)
        {
            error = MarkEndsOfData(table.Cache, space);
            table.Cache.MapResident(space, MostPagesMapped);
        }

        if (error != Errno.None)
        {
            table.Spaces.Release(space);
            space = null;
            return error;
        }

        space->Break = program.Break;
        return Errno.None;
    }

    /// <summary>
    /// The last page of a program's data ends in zeros where its bss begins; the loader has made it, so it is not the file's page.
    /// </summary>
    private static Errno MarkEndsOfData(ExCache cache, AddressSpace* space)
    {
        Errno error = Errno.None;
        for (int index = 0; index < space->Ranges.Count && error == Errno.None; index++)
        {
            VmaRecord range = space->Ranges[index];
            if (range.Kind == VmaKind.File && (range.Protection & Protection.Write) != 0)
            {
                error = cache.MarkRemote(space, range.End - PageOperations.PageSize, range.End);
            }
        }

        return error;
    }

    private static Errno BuildStack(Process* process, AddressSpace* space, in ProgramWords words, in ExecuteReply loaded, Span<byte> buffer,
        out LoadedProgram program)
    {
        program = new LoadedProgram { InstructionPointer = loaded.InstructionPointer };
        return ProgramStack.Build(process, space, in words, in loaded, buffer, out program.StackPointer);
    }

    private static Errno FollowInterpreterLine(Process* process, ref ProgramWords words, ReadOnlySpan<byte> canonical, in OpenReply found,
        uint backing, Span<byte> buffer)
    {
        ushort storage = process->Table.Cache.Objects.IdentityOf(backing).Volume;
        FileRequest request = new()
        {
            Handle = found.Attributes.Handle,
            Length = ScriptLineBytes,
            Storage = storage,
            PathLength = (ushort)canonical.Length,
        };
        RpcContext context = new() { VNode = process->VNode, Class = RpcClass.DemandFetch };
        ushort memory = storage == MemoryObjects.Storage ? process->Place.HomeMemory : process->Place.FileMemory;
        Errno error = process->Table.Rpc.Call(memory, Opcode.FileRead, in context, in request, canonical,
            buffer.Slice(0, ScriptLineBytes), out int received);
        if (error != Errno.None)
        {
            return error;
        }

        ReadOnlySpan<byte> line = buffer.Slice(0, received);
        if (!InterpreterLine.TryParse(line, out ReadOnlySpan<byte> interpreter, out ReadOnlySpan<byte> argument))
        {
            return Errno.ENOEXEC;
        }

        return words.IsUnreachable ? Errno.ENOENT : words.Interpret(interpreter, argument);
    }

    /// <summary>The point of no return: the old program is gone, the new one's space is current.</summary>
    private static void ReplaceProgram(UserThread* thread, AddressSpace* space)
    {
        Process* process = thread->Process;
        RobustFutexes.Release(thread);
        process->Table.Futexes.OwnerEnds(thread);
        ProcessExit.LeaveSpace(process);
        process->Space = space;
        process->HasExecuted = true;
        Scheduler.Current->PageTableRoot = space->PageTableRoot;
        PageTable.Activate(space->PageTableRoot);
        UserMode.SetFsBase(0);
        process->Table.Resources!.Replace(process);
        process->Actions->ForgetHandlers();
        process->Table.Timers.DeleteCreated(process);
        thread->AlternateStackBytes = 0;
        thread->AlternateStackFlags = 0;
        thread->ClearChildThreadId = 0;
        thread->SequenceArea = 0;
        process->Barriers = 0;
        process->ExitSignal = Signal.Child;
        process->Dumpable = 1;
        // Linux's prepare_binprm: what is saved are the ids that the program begins with.
        process->SavedUserId = process->EffectiveUserId;
        process->SavedGroupId = process->EffectiveGroupId;
        Capabilities.OnExecute(process);
    }
}
