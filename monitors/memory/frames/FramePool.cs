// The physical memory of a memory component, as its users see it: who holds how many frames, and what happens when they run short.
// Anonymous memory has precedence over the file cache: when free frames fall to the reserve, the cache is asked to give clean pages up.
// The reserve keeps room for the small tables (vmas, page blocks, cache records) that handling one request may need.
// Never blocks. Runs on memory components only; callers hold the kernel lock.

using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Somebody who holds frames that can be taken back at once, without waiting for another component.</summary>
public abstract class FrameReclaimer
{
    /// <summary>Frees at least one frame; false when nothing can be given up now.</summary>
    public abstract bool TryReclaim();
}

/// <summary>Frames with reference counts, so that address spaces can share them copy-on-write.</summary>
public sealed unsafe class FramePool
{
    private const ulong LeastReservePages = 32;
    private const int ReserveShift = 7;

    private readonly FrameAllocator _frames;
    private readonly byte* _start;
    private readonly ushort* _references;
    private readonly ulong _reservePages;
    private FrameReclaimer? _reclaimer;
    private FrameReclaimer? _graves;
    private ulong _anonymousFrames;
    private ulong _anonymousPeak;
    private ulong _reclaims;

    /// <summary>Takes its reference table (2 bytes a frame) from the allocator at once.</summary>
    public FramePool(FrameAllocator frames)
    {
        _frames = frames;
        _start = (byte*)frames.Start;
        ulong tableBytes = frames.TotalPages * sizeof(ushort);
        ulong tablePages = (tableBytes + PageOperations.PageSize - 1) / PageOperations.PageSize;
        _references = (ushort*)frames.AllocateContiguous(tablePages);
        if (_references == null)
        {
            Panic.Because("FramePool: no memory for the reference table");
        }

        for (ulong page = 0; page < tablePages; page++)
        {
            PageOperations.Clear((byte*)_references + (page * PageOperations.PageSize));
        }

        _reservePages = LeastReservePages + (frames.FreePages >> ReserveShift);
    }

    /// <summary>Frames that hold pages of address spaces.</summary>
    public ulong AnonymousFrames => _anonymousFrames;

    /// <summary>Frames that nobody holds.</summary>
    public ulong FreeFrames => _frames.FreePages;

    /// <summary>All frames of this component.</summary>
    public ulong TotalFrames => _frames.TotalPages;

    /// <summary>Names the holder of frames that nobody needs any more: they go first. Boot time.</summary>
    public void SetGraves(FrameReclaimer graves) => _graves = graves;

    /// <summary>Names the holder of reclaimable frames; boot time.</summary>
    public void SetReclaimer(FrameReclaimer reclaimer) => _reclaimer = reclaimer;

    /// <summary>Reclaims until the reserve is free again; false when that failed. Callers about to use a slab call it first.</summary>
    public bool EnsureReserve() => TryMakeRoom(1);

    /// <summary>Reclaims until so many frames can be given out besides the reserve; false when that failed.</summary>
    public bool TryMakeRoom(ulong frames)
    {
        while (_frames.FreePages < _reservePages + frames)
        {
            if (_graves != null && _graves.TryReclaim())
            {
                continue;
            }

            if (_reclaimer == null || !_reclaimer.TryReclaim())
            {
                return false;
            }

            _reclaims++;
        }

        return true;
    }

    /// <summary>A frame for one page of an address space, contents arbitrary, one reference; 0 when memory is exhausted.</summary>
    public uint AllocateAnonymous()
    {
        void* frame = AllocateRaw();
        if (frame == null)
        {
            return 0;
        }

        uint number = NumberOf(frame);
        _references[number] = 1;
        _anonymousFrames++;
        if (_anonymousFrames > _anonymousPeak)
        {
            _anonymousPeak = _anonymousFrames;
        }

        return number;
    }

    /// <summary>A frame for the file cache, contents arbitrary; null when memory is exhausted.</summary>
    public void* AllocateRaw() => EnsureReserve() ? _frames.Allocate() : null;

    /// <summary>Gives a frame of <see cref="AllocateRaw"/> back.</summary>
    public void FreeRaw(void* frame) => _frames.Free(frame);

    /// <summary>One more holder of an anonymous frame.</summary>
    public void AddReference(uint frame) => _references[frame]++;

    /// <summary>One holder less; the last one frees it.</summary>
    public void Release(uint frame)
    {
        if (--_references[frame] == 0)
        {
            _anonymousFrames--;
            _frames.Free(AddressOf(frame));
        }
    }

    /// <summary>True when another address space holds the frame as well.</summary>
    public bool IsShared(uint frame) => _references[frame] > 1;

    /// <summary>Kernel address of a frame.</summary>
    public byte* AddressOf(uint frame) => _start + ((ulong)frame * PageOperations.PageSize);

    /// <summary>Counters; frames_used is what LegoOS calls anonymous memory.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.frames_used"u8, _anonymousFrames);
        writer.Add("memory.frames_peak"u8, _anonymousPeak);
        writer.Add("memory.free_frames"u8, _frames.FreePages);
        writer.Add("memory.total_frames"u8, _frames.TotalPages);
        writer.Add("memory.reclaimed_frames"u8, _reclaims);
    }

    private uint NumberOf(void* frame) => (uint)((ulong)((byte*)frame - _start) / PageOperations.PageSize);
}
