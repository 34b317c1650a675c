// execve(2) and the start of a program for the manager: strings are gathered into one message, the home memory component loads the file into a new
// address space (Execute), and only when that has succeeded does the old one go. Scripts ("#!", execve(2)) are rewritten here: the home says
// ENOEXEC, the first bytes of the file say which interpreter. So is the dynamic linker of a program that names one (PT_INTERP) looked up here: the
// home says ELIBACC and its name. BLOCKS.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The strings of an Execute request in the order of the message: path, arguments, environment, each NUL-terminated.</summary>
public unsafe ref struct ProgramStrings
{
    /// <summary>Most bytes: what fits into one message beside its head.</summary>
    public const int MaxBytes = 60 * 1024;

    private readonly Span<byte> _bytes;
    private int _length;

    public ProgramStrings(Span<byte> buffer)
    {
        _bytes = buffer.Slice(0, MaxBytes);
        _length = 0;
        PathBytes = 0;
        ArgumentCount = 0;
        EnvironmentCount = 0;
    }

    /// <summary>Bytes of the path with its terminator.</summary>
    public int PathBytes { get; private set; }

    public uint ArgumentCount { get; private set; }

    public uint EnvironmentCount { get; private set; }

    public readonly ReadOnlySpan<byte> Bytes => _bytes.Slice(0, _length);

    public readonly ReadOnlySpan<byte> Path => _bytes.Slice(0, PathBytes - 1);

    /// <summary>The path; first of all strings.</summary>
    public Errno AddPath(scoped ReadOnlySpan<byte> path)
    {
        Errno error = Append(path);
        PathBytes = _length;
        return error;
    }

    public Errno AddArgument(scoped ReadOnlySpan<byte> text)
    {
        ArgumentCount++;
        return Append(text);
    }

    /// <summary>Copies a NULL-terminated array of strings from the program. E2BIG, EFAULT.</summary>
    public Errno AddArray(Process* process, ulong array, bool isEnvironment)
    {
        for (ulong index = 0; array != 0; index++)
        {
            Errno error = new UserPointer<ulong>(array).ReadAt(process, index, out ulong text);
            if (error != Errno.None)
            {
                return error;
            }

            if (text == 0)
            {
                break;
            }

            error = UserString.Copy(process, text, _bytes.Slice(_length), out int length);
            if (error != Errno.None)
            {
                return error == Errno.ENAMETOOLONG ? Errno.E2BIG : error;
            }

            _length += length + 1;
            if (isEnvironment)
            {
                EnvironmentCount++;
            }
            else
            {
                ArgumentCount++;
            }
        }

        return Errno.None;
    }

    /// <summary>Appends strings that are terminated already (StartProcess).</summary>
    public Errno AddTerminated(ReadOnlySpan<byte> strings, uint arguments, uint environment)
    {
        if (strings.Length > _bytes.Length - _length)
        {
            return Errno.E2BIG;
        }

        strings.CopyTo(_bytes.Slice(_length));
        _length += strings.Length;
        ArgumentCount += arguments;
        EnvironmentCount += environment;
        return Errno.None;
    }

    /// <summary>
    /// Turns the strings into those of a script's interpreter: its path, its one optional argument, the script's path, then the old arguments but
    /// the first.
    /// </summary>
    public Errno Interpret(scoped ReadOnlySpan<byte> interpreter, scoped ReadOnlySpan<byte> argument)
    {
        ReadOnlySpan<byte> script = Path;
        int rest = PathBytes;
        if (ArgumentCount > 0)
        {
            rest += _bytes.Slice(rest, _length - rest).IndexOf((byte)0) + 1;
        }

        int headBytes = (2 * (interpreter.Length + 1)) + (argument.Length == 0 ? 0 : argument.Length + 1) + script.Length + 1;
        int tailBytes = _length - rest;
        if (headBytes + tailBytes > _bytes.Length)
        {
            return Errno.E2BIG;
        }

        Span<byte> scriptCopy = stackalloc byte[MaxScriptPath];
        if (script.Length > MaxScriptPath)
        {
            return Errno.ENAMETOOLONG;
        }

        script.CopyTo(scriptCopy);
        int scriptLength = script.Length;
        _bytes.Slice(rest, tailBytes).CopyTo(_bytes.Slice(headBytes));
        uint kept = ArgumentCount > 0 ? ArgumentCount - 1 : 0;
        _length = 0;
        ArgumentCount = 0;
        AddPath(interpreter);
        AddArgument(interpreter);
        if (argument.Length != 0)
        {
            AddArgument(argument);
        }

        AddArgument(scriptCopy.Slice(0, scriptLength));
        _length += tailBytes;
        ArgumentCount += kept;
        return Errno.None;
    }

    /// <summary>Longest path of a script that is run through its interpreter line.</summary>
    private const int MaxScriptPath = 1024;

    private Errno Append(scoped ReadOnlySpan<byte> text)
    {
        if (text.Length >= _bytes.Length - _length)
        {
            return Errno.E2BIG;
        }

        text.CopyTo(_bytes.Slice(_length));
        _bytes[_length + text.Length] = 0;
        _length += text.Length + 1;
        return Errno.None;
    }
}

/// <summary>Loads programs.</summary>
public static unsafe class ProcessExecute
{
    private const int MaxInterpreters = 4;
    private const int ScriptLineBytes = InterpreterLine.MaxBytes;
    /// <summary>Pages of a program that are mapped before it starts, of those that are resident: a few megabytes take no time.</summary>
    private const int MostPagesMapped = 1024;

    /// <summary>execve of the current process. On success the registers are the new program's.</summary>
    public static Errno Execute(UserThread* thread, ReadOnlySpan<byte> path, ulong arguments, ulong environment)
    {
        Process* process = thread->Process;
        // No buffer is held while the other threads end: they may wait for one.
        Errno error = Gather(process, path, arguments, environment, out AddressSpace* space, out ExecuteReply program);
        if (error != Errno.None)
        {
            return error;
        }

        error = process->Table.UnshareActions(process) ? process->Table.Resources!.Unshare(process) : Errno.ENOMEM;
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
        FloatingPoint.Restore(&thread->InitialVectors);
        return Errno.None;
    }

    /// <summary>Copies the strings from the program's memory and loads the file.</summary>
    private static Errno Gather(Process* process, ReadOnlySpan<byte> path, ulong arguments, ulong environment, out AddressSpace* space,
        out ExecuteReply program)
    {
        space = null;
        program = default;
        using Scratch scratch = process->Table.Scratch.Take();
        ProgramStrings strings = new(scratch.Request);
        Errno error = strings.AddPath(path);
        if (error == Errno.None)
        {
            error = strings.AddArray(process, arguments, isEnvironment: false);
        }

        if (error == Errno.None && strings.ArgumentCount == 0)
        {
            // Linux since 5.18 gives a program without arguments an empty first one.
            error = strings.AddArgument(default);
        }

        if (error == Errno.None)
        {
            error = strings.AddArray(process, environment, isEnvironment: true);
        }

        return error == Errno.None ? Load(process, ref strings, scratch.Reply, out space, out program) : error;
    }

    /// <summary>
    /// Loads the program that the strings name into a new space, following interpreter lines. Sets the executable's path and the command name
    /// of the process, which is a script's own, not its interpreter's. The caller installs the space.
    /// </summary>
    public static Errno Load(Process* process, ref ProgramStrings strings, Span<byte> reply, out AddressSpace* space, out ExecuteReply program)
    {
        space = null;
        program = default;
        Process.NameBuffer name = default;
        Processes.WriteName(strings.Path, name);
        for (int level = 0; level <= MaxInterpreters; level++)
        {
            Errno error = Find(process, strings.Path, reply, out OpenReply found, out int canonicalLength, out uint backing);
            if (error != Errno.None)
            {
                return error;
            }

            ExecuteHead head = new(reply, canonicalLength);
            Span<byte> answer = reply.Slice(0, reply.Length - ExecuteHead.MaxBytes);
            error = LoadFile(process, ref strings, in found, backing, head, answer, out space, out program);
            if (error == Errno.None)
            {
                Processes.SetText(process->Executable, head.File);
                process->Name = name;
                process->Table.Backings.Drop(backing);
                return Errno.None;
            }

            if (error == Errno.ENOEXEC)
            {
                error = FollowInterpreterLine(process, ref strings, head.File, in found, answer);
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
    public static void Adopt(UserThread* thread, in ExecuteReply program, UserContext* user)
    {
        user->Reset(program.InstructionPointer, program.StackPointer);
        thread->InitialVectors = default;
        thread->InitialVectors.ControlWord = FloatingPointFrame.DefaultControlWord;
        thread->InitialVectors.Mxcsr = FloatingPointFrame.DefaultMxcsr;
        thread->InitialFsBase = 0;
    }

    /// <summary>The layer above finds the file, wherever the path leads.</summary>
    private static Errno Find(Process* process, ReadOnlySpan<byte> path, Span<byte> reply, out OpenReply found, out int canonicalLength,
        out uint backing) =>
        process->Table.Backings.Owner!.OpenProgram(
            process, path, reply.Slice(0, sizeof(OpenReply) + PathRequest.MaxPath), out found, out canonicalLength, out backing);

    /// <summary>
    /// Asks the home to load the file, and once more with the dynamic linker that the program names. ENOEXEC: no program; ELIBBAD: the linker is
    /// none; ENOENT, EACCES, ... of the linker's path.
    /// </summary>
    private static Errno LoadFile(Process* process, ref ProgramStrings strings, in OpenReply found, uint backing, ExecuteHead head, Span<byte> answer,
        out AddressSpace* space, out ExecuteReply program)
    {
        Processes table = process->Table;
        ExecuteRequest request = new()
        {
            ArgumentCount = strings.ArgumentCount,
            EnvironmentCount = strings.EnvironmentCount,
            StringBytes = (uint)strings.Bytes.Length,
            UserId = process->EffectiveUserId,
            GroupId = process->EffectiveGroupId,
            Storage = process->Place.Storage,
            FilePathLength = (ushort)head.File.Length,
            File = found.Attributes.Handle,
            Seed0 = table.Random.NextWord(),
            Seed1 = table.Random.NextWord(),
            Backing = backing,
        };
        Errno error = Request(process, in request, head, ref strings, answer, out space, out program, out int nameLength);
        if (error != Errno.ELIBACC)
        {
            return error;
        }

        error = head.TakeInterpreter(answer.Slice(0, nameLength));
        OpenReply linker = default;
        int pathLength = 0;
        error = error != Errno.None ? error : Find(process, head.Interpreter, answer, out linker, out pathLength, out request.InterpreterBacking);
        if (error != Errno.None)
        {
            return error;
        }

        error = head.TakeInterpreter(answer.Slice(sizeof(OpenReply), pathLength));
        request.Interpreter = linker.Attributes.Handle;
        request.InterpreterPathLength = (ushort)pathLength;
        error = error != Errno.None ? error : Request(process, in request, head, ref strings, answer, out space, out program, out _);
        table.Backings.Drop(request.InterpreterBacking);
        return error;
    }

    /// <summary>One Execute into a new space. With ELIBACC the answer begins with a name of so many bytes.</summary>
    private static Errno Request(Process* process, in ExecuteRequest request, ExecuteHead head, ref ProgramStrings strings, Span<byte> answer,
        out AddressSpace* space, out ExecuteReply program, out int nameLength)
    {
        program = default;
        nameLength = 0;
        space = process->Table.Spaces.Create(process->Place.HomeMemory);
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
        error = table.Rpc.Call(space->Home, Opcode.Execute, in context, head.Write(in request), strings.Bytes, answer, out int received);
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
        error = space->Apply(table.Frames, program.VmaCount, program.RegionCount, answer.Slice(sizeof(ExecuteReply), received - sizeof(ExecuteReply)));
        if (error == Errno.None)
        {
            // The loader has written the initial stack; the pages below it are zero until the program writes them.
            error = table.Cache.MarkRemote(space, program.StackPointer, program.StackStart);
        }

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
        space->StackStart = program.StackStart;
        space->ArgumentStart = program.ArgumentStart;
        space->ArgumentEnd = program.ArgumentEnd;
        // The environment's strings follow the arguments'; argc, argv and envp with their null pointers stand below the vector.
        ulong argumentBytes = program.ArgumentEnd - program.ArgumentStart;
        ulong pointers = 1UL + strings.ArgumentCount + 1 + strings.EnvironmentCount + 1;
        space->EnvironmentEnd = program.ArgumentEnd + ((ulong)(strings.Bytes.Length - strings.PathBytes) - argumentBytes);
        space->AuxiliaryStart = program.StackPointer + (pointers * sizeof(ulong));
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

    private static Errno FollowInterpreterLine(Process* process, ref ProgramStrings strings, ReadOnlySpan<byte> canonical, in OpenReply found,
        Span<byte> buffer)
    {
        FileRequest request = new()
        {
            Handle = found.Attributes.Handle,
            Length = ScriptLineBytes,
            Storage = process->Place.Storage,
            PathLength = (ushort)canonical.Length,
        };
        RpcContext context = new() { Class = RpcClass.DemandFetch };
        Errno error = process->Table.Rpc.Call(process->Place.FileMemory, Opcode.FileRead, in context, in request, canonical,
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

        return strings.Interpret(interpreter, argument);
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
    }
}
