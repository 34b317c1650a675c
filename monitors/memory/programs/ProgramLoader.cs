// execve(2) at the memory component: maps an ELF image into a fresh address space, with an empty stack. The processor component has found
// the file, checked its execute permission and rewritten scripts ("#!" is ENOEXEC here), because it knows working directory and user. It
// gets addresses only, and writes the arguments onto the stack; text and data travel when they are touched (row L36). A program that names
// an interpreter (PT_INTERP, the dynamic linker) is mapped together with it, and starts in it. Only the processor component can look its
// path up: a request that does not bring it is ELIBACC with the name, and is made again. Places are Linux's without randomisation: a
// position-independent program at PositionIndependentBase, its heap behind it; the interpreter as mmap would place it, below the stack.
// Runs in a worker and blocks while files come from a storage component.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Loads programs into address spaces.</summary>
public sealed unsafe class ProgramLoader
{
    private readonly AddressSpaces _spaces;
    private readonly FrameMap _frames;
    private readonly FileCache _files;
    private ulong _loads;
    private ulong _failures;

    public ProgramLoader(AddressSpaces spaces, FrameMap frames, FileCache files)
    {
        _spaces = spaces;
        _frames = frames;
        _files = files;
    }

    /// <summary>Makes the space (vnode, asid) and loads the program; <paramref name="body"/> is what follows ExecuteRequest.
    /// EACCES, ENOEXEC, ELIBACC (see <see cref="ReadInterpreter"/>), ELIBBAD, ENOMEM, EEXIST, EPROTO, and what the storage says (ESTALE,
    /// ENOENT, EIO).</summary>
    [Blocks]
    public Errno Execute(ushort vnode, uint asid, in ExecuteRequest request, ReadOnlySpan<byte> body, out AddressSpace* space,
        out ExecuteReply reply)
    {
        space = null;
        reply = default;
        Errno error = body.Length == request.FilePathLength + request.InterpreterPathLength
            ? Load(vnode, asid, request, body, out space, out reply)
            : Errno.EPROTO;
        if (error == Errno.None)
        {
            _loads++;
        }
        else if (error != Errno.ELIBACC)
        {
            _failures++;
        }

        return error;
    }

    /// <summary>What a program that was ELIBACC names as its interpreter, without terminator; the buffer has room for MaxInterpreterBytes.
    /// ENOEXEC, and what the storage says.</summary>
    [Blocks]
    public Errno ReadInterpreter(ushort vnode, in ExecuteRequest request, ReadOnlySpan<byte> path, Span<byte> buffer, out int length)
    {
        length = 0;
        Errno error = _files.FindOrAdd(vnode, request.Storage, request.File, path, out CachedFile* file);
        if (error != Errno.None)
        {
            return error;
        }

        FileCache.Hold(file);
        ProgramImage image = default;
        error = _files.Admit(file, vnode);
        error = error == Errno.None ? ElfReader.Read(_files, file, out image) : error;
        if (error == Errno.None)
        {
            error = ElfReader.ReadInterpreter(_files, file, in image, buffer, out length);
        }

        _files.Release(file);
        // A C string, whatever follows it.
        length = error == Errno.None ? buffer.Slice(0, length).IndexOf((byte)0) : 0;
        return error;
    }

    /// <summary>Counters.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.programs_loaded"u8, _loads);
        writer.Add("memory.programs_refused"u8, _failures);
    }

    private Errno Load(ushort vnode, uint asid, in ExecuteRequest request, ReadOnlySpan<byte> paths, out AddressSpace* space,
        out ExecuteReply reply)
    {
        space = null;
        reply = default;
        Errno error = _files.FindOrAdd(vnode, request.Storage, request.File, paths.Slice(0, request.FilePathLength), out CachedFile* file);
        if (error != Errno.None)
        {
            return error;
        }

        FileCache.Hold(file);
        CachedFile* interpreter = null;
        ProgramImage image = default;
        error = _files.Admit(file, vnode);
        error = error == Errno.None ? ElfReader.Read(_files, file, out image) : error;
        if (error == Errno.None && image.InterpreterBytes != 0)
        {
            error = request.Interpreter.Inode == 0 ? Errno.ELIBACC : _files.FindOrAdd(
                vnode, request.InterpreterStorage, request.Interpreter, paths.Slice(request.FilePathLength), out interpreter);
            if (error == Errno.None)
            {
                FileCache.Hold(interpreter);
                error = _files.Admit(interpreter, vnode);
            }
        }

        if (error == Errno.None)
        {
            error = _spaces.Create(vnode, asid, out space);
        }

        if (error == Errno.None)
        {
            error = Load(space, file, ref image, interpreter, request, out reply);
            if (error == Errno.None)
            {
                error = _spaces.Publish(space);
            }

            if (error != Errno.None)
            {
                _spaces.Destroy(space);
                space = null;
            }
        }

        if (interpreter != null)
        {
            _files.Release(interpreter);
        }

        _files.Release(file);
        return error;
    }

    private Errno Load(AddressSpace* space, CachedFile* file, ref ProgramImage image, CachedFile* interpreter, in ExecuteRequest request,
        out ExecuteReply reply)
    {
        reply = default;
        SpaceWriter memory = new(space, _frames, _files);
        ulong bias = image.IsMovable ? RoundUp(AddressLayout.PositionIndependentBase, image.Alignment) : 0;
        Errno error = ElfReader.Place(bias, ref image);
        error = error == Errno.None ? MapSegments(space, file, request.Backing, in image, memory) : error;
        if (error != Errno.None)
        {
            return error;
        }

        image.GetExtent(out _, out ulong end);
        AddressSpaces.SetBreakStart(space, AddressLayout.PageUp(end));

        MapWish stack = default;
        stack.Address = AddressLayout.StackTop - AddressLayout.StackBytes;
        stack.Length = AddressLayout.StackBytes;
        stack.Kind = VmaKind.Stack;
        stack.Protection = Protection.Read | Protection.Write | (image.HasExecutableStack ? Protection.Execute : Protection.None);
        error = MapFixed(space, stack);
        error = error != Errno.None ? error : MapVdso(space);
        reply.InstructionPointer = image.Entry;
        if (error == Errno.None && interpreter != null)
        {
            error = LoadInterpreter(space, interpreter, request.InterpreterBacking, memory, out reply.InterpreterBase,
                out reply.InstructionPointer);
        }

        reply.StackTop = AddressLayout.StackTop;
        reply.Break = space->Break;
        reply.Entry = image.Entry;
        reply.ProgramHeaders = image.ProgramHeaders;
        reply.ProgramHeaderCount = image.ProgramHeaderCount;
        reply.VdsoImage = AddressLayout.VdsoCode;
        return error;
    }

    /// <summary>
    /// Maps the dynamic linker, or whatever else the program names; what that one names is not looked at. ELIBBAD unless it is an ELF file
    /// for this machine, EIO when it is shorter than its header.
    /// </summary>
    private Errno LoadInterpreter(AddressSpace* space, CachedFile* file, uint backing, SpaceWriter memory, out ulong bias, out ulong entry)
    {
        bias = 0;
        entry = 0;
        Errno error = ElfReader.Read(_files, file, out ProgramImage image);
        if (error == Errno.ENOEXEC && file->Size < (ulong)sizeof(ElfHeader))
        {
            // As Linux's read of it says.
            return Errno.EIO;
        }

        if (error == Errno.None && image.IsMovable)
        {
            image.GetExtent(out ulong start, out ulong end);
            ulong length = AddressLayout.PageUp(end) - start;
            if (!_spaces.FindPlace(space, length + image.Alignment - PageOperations.PageSize, out ulong place))
            {
                return Errno.ENOMEM;
            }
            // Modulo 2^64: the file's addresses may begin anywhere.
            bias = RoundUp(place, image.Alignment) - RoundDown(start, image.Alignment);
        }

        error = error == Errno.None ? ElfReader.Place(bias, ref image) : error;
        error = error == Errno.None ? MapSegments(space, file, backing, in image, memory) : error;
        entry = image.Entry;
        return error == Errno.ENOEXEC ? Errno.ELIBBAD : error;
    }

    private static ulong RoundUp(ulong address, ulong alignment) => (address + alignment - 1) & ~(alignment - 1);

    private static ulong RoundDown(ulong address, ulong alignment) => address & ~(alignment - 1);

    private Errno MapSegments(AddressSpace* space, CachedFile* file, uint backing, in ProgramImage image, SpaceWriter memory)
    {
        Errno error = Errno.None;
        for (int index = 0; index < image.SegmentCount && error == Errno.None; index++)
        {
            error = MapSegment(space, file, backing, image.Segments[index], memory);
        }

        return error;
    }

    private Errno MapSegment(AddressSpace* space, CachedFile* file, uint backing, in ProgramSegment segment, SpaceWriter memory)
    {
        ulong start = AddressLayout.PageDown(segment.Address);
        ulong fileEnd = segment.Address + segment.FileBytes;
        ulong filePagesEnd = segment.FileBytes == 0 ? start : AddressLayout.PageUp(fileEnd);
        ulong end = AddressLayout.PageUp(segment.Address + segment.MemoryBytes);
        MapWish wish = default;
        wish.Kind = VmaKind.Anonymous;
        wish.Protection = segment.Protection;
        Errno error = Errno.None;
        if (filePagesEnd > start)
        {
            wish.Address = start;
            wish.Length = filePagesEnd - start;
            wish.File = file;
            wish.Backing = backing;
            wish.FileOffset = AddressLayout.PageDown(segment.FileOffset);
            error = MapFixed(space, wish);
            wish.File = null;
            wish.FileOffset = 0;
        }

        if (error == Errno.None && end > filePagesEnd)
        {
            wish.Address = filePagesEnd;
            wish.Length = end - filePagesEnd;
            error = MapFixed(space, wish);
        }
        // The page that holds the end of the data and the beginning of the bss gets a frame of its own, the rest of it zero.
        if (error == Errno.None && segment.MemoryBytes > segment.FileBytes && filePagesEnd > fileEnd)
        {
            error = CopyLastPage(file, segment, memory, fileEnd);
        }

        return error;
    }

    private Errno CopyLastPage(CachedFile* file, in ProgramSegment segment, SpaceWriter memory, ulong fileEnd)
    {
        ulong page = AddressLayout.PageDown(fileEnd);
        ulong fileStart = AddressLayout.PageDown(segment.FileOffset) + (page - AddressLayout.PageDown(segment.Address));
        Errno error = memory.GetPage(page, out byte* frame);
        return error != Errno.None ? error : ElfReader.ReadExactly(_files, file, fileStart, new Span<byte>(frame, (int)(fileEnd - page)));
    }

    /// <summary>Reserves the place of the vDSO, which the processor component fills from its own (vdso(7)).</summary>
    private Errno MapVdso(AddressSpace* space)
    {
        MapWish data = default;
        data.Address = AddressLayout.VdsoData;
        data.Length = PageOperations.PageSize;
        data.Kind = VmaKind.VdsoData;
        data.Protection = Protection.Read;
        Errno error = MapFixed(space, data);
        if (error != Errno.None)
        {
            return error;
        }

        MapWish code = data;
        code.Address = AddressLayout.VdsoCode;
        code.Kind = VmaKind.VdsoCode;
        code.Protection = Protection.Read | Protection.Execute;
        return MapFixed(space, code);
    }

    /// <summary>
    /// Maps at exactly this place, in vRegions that the home keeps: it makes pages there itself. Segments that overlap are ENOEXEC.
    /// </summary>
    private Errno MapFixed(AddressSpace* space, MapWish wish)
    {
        wish.Flags = MapFlags.Private | MapFlags.FixedNoReplace;
        while (true)
        {
            Errno error = _spaces.Map(space, wish, out _, out RegionDemand demand);
            if (error != Errno.EINPROGRESS)
            {
                return error == Errno.EEXIST || error == Errno.EPERM ? Errno.ENOEXEC : error;
            }

            error = _spaces.KeepRegions(space, demand);
            if (error != Errno.None)
            {
                return error;
            }
        }
    }
}
