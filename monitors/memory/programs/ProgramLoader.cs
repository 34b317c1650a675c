// execve(2) at the memory component: maps an ELF image into a fresh address space and builds its stack. The processor component has found the
// file, checked its execute permission and rewritten scripts ("#!" is ENOEXEC here), because it knows working directory and user. It gets
// the entry point and the stack pointer only; text and data travel when they are touched (row L36).
// Runs in a worker and blocks while files come from a storage component and regions from the manager. Position-dependent and static
// position-independent executables are served; one that names an interpreter (PT_INTERP) is ELIBACC.

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
    private readonly RegionBroker _broker;
    private ulong _loads;
    private ulong _failures;

    public ProgramLoader(AddressSpaces spaces, FrameMap frames, FileCache files, RegionBroker broker)
    {
        _spaces = spaces;
        _frames = frames;
        _files = files;
        _broker = broker;
    }

    /// <summary>Makes the space (vnode, asid) and loads the program; <paramref name="body"/> is what follows ExecuteRequest. Blocks.
    /// EACCES, ENOEXEC, ELIBACC, E2BIG, ENOMEM, EEXIST, EPROTO, and what the storage says (ESTALE, ENOENT, EIO).</summary>
    public Errno Execute(ushort vnode, uint asid, in ExecuteRequest request, ReadOnlySpan<byte> body, out AddressSpace* space,
        out ExecuteReply reply)
    {
        space = null;
        reply = default;
        Errno error = Errno.EPROTO;
        if (body.Length == request.FilePathLength + request.StringBytes && ProgramArguments.TryParse(
            body.Slice(request.FilePathLength), request.ArgumentCount, request.EnvironmentCount, out ProgramArguments words))
        {
            error = Execute(vnode, asid, request, body.Slice(0, request.FilePathLength), words, out space, out reply);
        }

        if (error == Errno.None)
        {
            _loads++;
        }
        else
        {
            _failures++;
        }

        return error;
    }

    /// <summary>Counters.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.programs_loaded"u8, _loads);
        writer.Add("memory.programs_refused"u8, _failures);
    }

    private Errno Execute(ushort vnode, uint asid, in ExecuteRequest request, ReadOnlySpan<byte> path, in ProgramArguments words,
        out AddressSpace* space, out ExecuteReply reply)
    {
        space = null;
        reply = default;
        Errno error = _files.FindOrAdd(vnode, request.Storage, request.File, path, out CachedFile* file);
        if (error != Errno.None)
        {
            return error;
        }

        FileCache.Hold(file);
        error = ElfReader.Read(_files, file, out ProgramImage image);
        if (error == Errno.None && image.NeedsInterpreter)
        {
            Log.Warn($"{path}: dynamically linked programs are not supported");
            error = Errno.ELIBACC;
        }

        if (error == Errno.None)
        {
            error = _spaces.Create(vnode, asid, out space);
        }

        if (error == Errno.None)
        {
            error = Load(space, file, image, request, words, out reply);
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

        _files.Release(file);
        return error;
    }

    private Errno Load(AddressSpace* space, CachedFile* file, in ProgramImage image, in ExecuteRequest request, in ProgramArguments words,
        out ExecuteReply reply)
    {
        reply = default;
        SpaceWriter memory = new(space, _frames, _files);
        ulong end = 0;
        for (int index = 0; index < image.SegmentCount; index++)
        {
            ProgramSegment segment = image.Segments[index];
            Errno mapped = MapSegment(space, file, request.Backing, segment, memory);
            if (mapped != Errno.None)
            {
                return mapped;
            }

            end = Math.Max(end, segment.Address + segment.MemoryBytes);
        }

        AddressSpaces.SetBreakStart(space, AddressLayout.PageUp(end));

        MapWish stack = default;
        stack.Address = AddressLayout.StackTop - AddressLayout.StackBytes;
        stack.Length = AddressLayout.StackBytes;
        stack.Kind = VmaKind.Stack;
        stack.Protection = Protection.Read | Protection.Write | (image.HasExecutableStack ? Protection.Execute : Protection.None);
        Errno error = MapFixed(space, stack);
        error = error != Errno.None ? error : MapVdso(space);
        if (error != Errno.None)
        {
            return error;
        }

        StackBuilder builder = new(memory);
        error = builder.Build(words, image, request);
        reply.InstructionPointer = image.Entry;
        reply.StackPointer = builder.StackPointer;
        reply.Break = space->Break;
        reply.StackStart = AddressLayout.StackTop;
        reply.ArgumentStart = builder.ArgumentStart;
        reply.ArgumentEnd = builder.ArgumentEnd;
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

    /// <summary>Maps at exactly this place, asking the manager for regions as needed. Segments that overlap are ENOEXEC.</summary>
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

            error = _broker.Consult(space->VNode, space->Asid, demand, out ushort owner);
            if (error == Errno.None)
            {
                error = _spaces.ActivateRegions(space, demand, owner);
            }

            if (error != Errno.None)
            {
                return error;
            }
        }
    }
}
