// The ExCache of a processor component: all the memory for programs that it has. Lines of 4 KB in sets of `ways`; the set of a page is
// (address >> 12) mod sets, whatever its address space; that of a file's page depends on the file and the page, because one line serves all
// spaces that map it (ExCache.Names.cs). A hit costs nothing (the line is mapped); a miss is a page fault (ExCache.Faults.cs). Frames come
// from one contiguous block taken at boot, so a page-table entry leads back to its line by arithmetic. With few ways, the pages of one
// instruction may not fit into their set together; a thread that makes no progress for that reason gets lines of a small overflow set
// (index SetCount), so that it always does. Free lines are found at the head of a list per set, never by scanning.
//
// Called with the kernel lock held. What may block says so; everything else is atomic. No allocation after the constructor.
// Boot arguments: excache= (bytes of lines), ways=, policy=fifo|lru|clock|random, piggyback=on|off, trace=on, stages=on, seed=.
// Counters are named after LegoOS's pcache_stat.

using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using Lego.Fabric;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>How an ExCache is built.</summary>
public struct ExCacheOptions
{
    public ulong SizeBytes;
    public int Ways;
    public PolicyKind Policy;
    /// <summary>True when a dirty victim rides on the fetch that displaces it, if both go to the same memory component.</summary>
    public bool Piggyback;
    /// <summary>True to remember the addresses of victims (VictimTrace).</summary>
    public bool TraceVictims;
    /// <summary>True to add up the time of each stage of a miss (MissStages).</summary>
    public bool MeasureStages;
    public ulong Seed;

    /// <summary>Reads the boot arguments.</summary>
    public static ExCacheOptions FromBootArguments()
    {
        ExCacheOptions options = default;
        options.SizeBytes = BootArguments.GetSize("excache"u8, 16UL << 20);
        options.Ways = (int)Math.Min(BootArguments.GetNumber("ways"u8, 64), int.MaxValue);
        options.Policy = PolicyKind.Fifo;
        if (BootArguments.TryGet("policy"u8, out ReadOnlySpan<byte> policy))
        {
            options.Policy = ParsePolicy(policy);
        }

        options.Piggyback = !BootArguments.Is("piggyback"u8, "off"u8);
        options.TraceVictims = BootArguments.Is("trace"u8, "on"u8);
        options.MeasureStages = BootArguments.Is("stages"u8, "on"u8);
        options.Seed = BootArguments.GetNumber("seed"u8, 0);
        return options;
    }

    private static PolicyKind ParsePolicy(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("lru"u8))
        {
            return PolicyKind.Lru;
        }

        if (name.SequenceEqual("clock"u8))
        {
            return PolicyKind.Clock;
        }

        return name.SequenceEqual("random"u8) ? PolicyKind.Random : PolicyKind.Fifo;
    }
}

/// <summary>Lines, sets, counters.</summary>
public sealed unsafe partial class ExCache
{
    /// <summary>Frames beyond the lines: a fill lands in one while its victim's page leaves from the line's own frame.</summary>
    private const int SpareFrames = 32;

    /// <summary>A sixty-fourth of the machine's frames is reserved.</summary>
    private const int ReserveShift = 6;

    /// <summary>Most pages that one instruction needs at a time: code, two operands and the stack, each across a page boundary.</summary>
    public const int PagesOfOneInstruction = 8;

    /// <summary>Says how many pages the spaces of a vNode may have; set once, at boot.</summary>
    internal PageLimit? Limit { get; set; }

    private readonly FrameAllocator _kernelFrames;
    private readonly RpcEndpoint _rpc;
    private readonly byte* _frames;
    private readonly ulong _framesPhysical;
    private readonly int _lineCount;
    private readonly int _frameCount;
    private readonly int _overflowLines;
    private readonly int _ways;
    private readonly int _setCount;
    private readonly Line* _lines;
    private readonly LineSet* _sets;
    /// <summary>The line that each frame belongs to; meaningless for spare frames.</summary>
    private readonly int* _lineOfFrame;
    private readonly bool _piggyback;
    /// <summary>
    /// Kernel frames that page tables of faults leave to everything else: who makes page tables without end meets his own end before fork,
    /// execve and messages of others fail.
    /// </summary>
    private readonly ulong _reservedFrames;
    private ReplacementPolicy _policy;
    private VictimTrace _trace;
    private MissStages _stages;
    private SpareStack _spares;
    /// <summary>What CPUs are to forget; gathered within functions that do not block.</summary>
    private StaleTranslations _stale;
    /// <summary>Woken whenever a page that was in flight has arrived or gone.</summary>
    private WaitQueue _arrivals;
    private ulong _residentLines;

    private ulong _faults;
    private ulong _fillsFromMemory;
    private ulong _fillsZero;
    private ulong _fillsFailed;
    private ulong _fillsOverflow;
    /// <summary>Fetches under way, and the most that ever were at a time.</summary>
    private ulong _fetching;
    private ulong _mostFetching;
    private ulong _fillWaits;
    private ulong _setWaits;
    private ulong _evictions;
    private ulong _evictionsClean;
    private ulong _flushes;
    private ulong _flushesPiggybacked;
    private ulong _flushesBatched;
    private ulong _drops;
    private ulong _disowned;

    /// <summary>Takes the memory and makes all lines free. Panics when the machine is too small for the options: boot time.</summary>
    public ExCache(FrameAllocator kernelFrames, RpcEndpoint rpc, in ExCacheOptions options)
    {
        _kernelFrames = kernelFrames;
        _rpc = rpc;
        ulong pages = options.SizeBytes / PageOperations.PageSize;
        _ways = Math.Max(1, (int)Math.Min((ulong)options.Ways, pages));
        _setCount = (int)(pages / (ulong)_ways);
        _lineCount = _setCount * _ways;
        _overflowLines = _ways < PagesOfOneInstruction ? PagesOfOneInstruction : 0;
        _frameCount = _lineCount + _overflowLines + SpareFrames;
        _piggyback = options.Piggyback;
        _reservedFrames = kernelFrames.FreePages >> ReserveShift;
        _policy = new ReplacementPolicy(options.Policy, _ways, options.Seed);
        _frames = (byte*)kernelFrames.AllocateContiguous((ulong)_frameCount);
        _lines = (Line*)AllocateTable(kernelFrames, (ulong)(_lineCount + _overflowLines) * (ulong)sizeof(Line));
        _sets = (LineSet*)AllocateTable(kernelFrames, (ulong)(_setCount + 1) * (ulong)sizeof(LineSet));
        _lineOfFrame = (int*)AllocateTable(kernelFrames, (ulong)_frameCount * sizeof(int));
        _objects = new LineObjects(kernelFrames);
        _mappings = new Slab<LineMapping>(kernelFrames);
        _batchBuffers = new BufferPool(kernelFrames, 1, BatchBufferBytes);
        int nameBits = BitOperations.Log2((uint)(_lineCount + _overflowLines)) + 1;
        _nameShift = 64 - nameBits;
        _names = (int*)AllocateTable(kernelFrames, sizeof(int) * (1UL << nameBits));
        if (_setCount == 0 || _frames == null || _lines == null || _sets == null || _lineOfFrame == null || _names == null)
        {
            Panic.Because("ExCache: excache= asks for more memory than this machine has");
        }

        _framesPhysical = PhysicalAddress.Of(_frames);
        _trace = new VictimTrace(kernelFrames, options.TraceVictims);
        _stages = new MissStages(options.MeasureStages);
        new Span<int>(_names, 1 << nameBits).Fill(Line.None);
        MakeAllFree();
    }

    /// <summary>Lines in all sets.</summary>
    public ulong LineCount => (ulong)_lineCount;

    /// <summary>Lines that hold a page now.</summary>
    public ulong ResidentLines => _residentLines;

    /// <summary>Lines filled from memory components since boot.</summary>
    public ulong FillsFromMemory => _fillsFromMemory;

    /// <summary>True when sets are so small that an instruction may need the overflow lines.</summary>
    public bool HasOverflowLines => _overflowLines != 0;

    /// <summary>Number of sets.</summary>
    public int SetCount => _setCount;

    /// <summary>The set that can hold the page at an address.</summary>
    public int SetOf(ulong address) => (int)((address >> 12) % (ulong)_setCount);

    /// <summary>The kernel address of the page that a present entry maps.</summary>
    public static byte* PageOf(ulong entry) => (byte*)PhysicalAddress.ToKernel(entry & PageTable.AddressMask);

    /// <summary>Adds all counters.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("processor.excache.lines"u8, (ulong)_lineCount);
        writer.Add("processor.excache.ways"u8, (ulong)_ways);
        writer.Add("processor.excache.sets"u8, (ulong)_setCount);
        writer.Add("processor.excache.lines_resident"u8, _residentLines);
        writer.Add("processor.excache.lines_named"u8, _namedLines);
        writer.Add("processor.excache.entries_mapped"u8, _mappedEntries);
        writer.Add("processor.excache.faults"u8, _faults);
        writer.Add("processor.excache.fills_from_memory"u8, _fillsFromMemory);
        writer.Add("processor.excache.fills_zero"u8, _fillsZero);
        writer.Add("processor.excache.fills_shared"u8, _fillsShared);
        writer.Add("processor.excache.fills_copied"u8, _fillsCopied);
        writer.Add("processor.excache.fills_failed"u8, _fillsFailed);
        writer.Add("processor.excache.fetches_at_once"u8, _mostFetching);
        writer.Add("processor.excache.fill_waits"u8, _fillWaits);
        writer.Add("processor.excache.set_waits"u8, _setWaits);
        writer.Add("processor.excache.fills_overflow"u8, _fillsOverflow);
        writer.Add("processor.excache.evictions"u8, _evictions);
        writer.Add("processor.excache.evictions_clean"u8, _evictionsClean);
        writer.Add("processor.excache.flushes"u8, _flushes);
        writer.Add("processor.excache.flushes_piggybacked"u8, _flushesPiggybacked);
        writer.Add("processor.excache.flushes_batched"u8, _flushesBatched);
        writer.Add("processor.excache.drops"u8, _drops);
        writer.Add("processor.excache.disowned"u8, _disowned);
        writer.Add("processor.excache.reads_found"u8, _readsFound);
        writer.Add("processor.excache.reads_kept"u8, _readsKept);
        writer.Add("processor.excache.shared_lost"u8, _sharedLost);
        writer.Add("processor.excache.lines_written"u8, (ulong)_writtenLines);
        writer.Add("processor.excache.written_lost"u8, _writtenLost);
        _stages.Report(ref writer);
        _trace.Report(ref writer);
    }

    internal static void* AllocateTable(FrameAllocator frames, ulong lengthBytes) =>
        frames.AllocateContiguous((lengthBytes + PageOperations.PageSize - 1) / PageOperations.PageSize);

    private void MakeAllFree()
    {
        for (int set = 0; set < _setCount; set++)
        {
            MakeSet(set, set * _ways, _ways);
        }

        MakeSet(_setCount, _lineCount, _overflowLines);
        for (int frame = _lineCount + _overflowLines; frame < _frameCount; frame++)
        {
            _spares.Push(frame);
        }
    }

    private void MakeSet(int set, int first, int ways)
    {
        _sets[set] = new LineSet { Free = ways == 0 ? Line.None : first, Oldest = Line.None, Newest = Line.None, Hand = 0 };
        for (int index = first; index < first + ways; index++)
        {
            _lines[index] = new Line { Newer = index + 1 == first + ways ? Line.None : index + 1, Older = Line.None, Frame = index };
            _lineOfFrame[index] = index;
        }
    }

    private int SetOfLine(int index) => index < _lineCount ? index / _ways : _setCount;

    private byte* FrameAddress(int frame) => _frames + ((ulong)frame * PageOperations.PageSize);

    private Span<byte> PageSpan(int frame) => new(FrameAddress(frame), PageOperations.PageSize);

    /// <summary>The line that a present entry maps.</summary>
    private int LineOf(ulong entry)
    {
        ulong frame = ((entry & PageTable.AddressMask) - _framesPhysical) / PageOperations.PageSize;
        if (frame >= (ulong)_frameCount)
        {
            Panic.Because("ExCache.LineOf: a page-table entry maps memory that is no line");
        }

        return _lineOfFrame[frame];
    }

    /// <summary>Takes a free line of a set; None when there is none.</summary>
    private int TakeFree(int set)
    {
        int index = _sets[set].Free;
        if (index != Line.None)
        {
            _sets[set].Free = _lines[index].Newer;
            _lines[index].State = LineState.Filling;
        }

        return index;
    }

    /// <summary>Gives a line that is on no list back to its set.</summary>
    private void GiveBack(int index)
    {
        int set = SetOfLine(index);
        ref Line line = ref _lines[index];
        if (line.IsNamed)
        {
            ForgetName(index);
        }

        line.State = LineState.Free;
        line.Entry = null;
        line.Space = null;
        line.Newer = _sets[set].Free;
        _sets[set].Free = index;
    }

    /// <summary>Maps a filled line and makes it a candidate for eviction.</summary>
    private void Install(int index, AddressSpace* space, ulong address, ulong* entry, ulong bits, LineOrigin origin)
    {
        ref Line line = ref _lines[index];
        line.Entry = entry;
        line.Space = space;
        line.Address = address;
        line.Origin = origin;
        line.State = LineState.Resident;
        LineList.Append(_lines, ref _sets[SetOfLine(index)], index);
        // Accessed is set by the fill: the access that faulted follows (see ReplacementPolicy.cs).
        Present(ref line, space, entry, bits | PageTable.Accessed);
        _residentLines++;
    }

    /// <summary>
    /// Takes a line, resident or leaving, out of all page tables (and off its list), putting <paramref name="state"/> into the entries.
    /// Gives the first entry as it was: only its dirty bit, which is set if any of them or the line was dirty, says whether anything was
    /// written up to that moment.
    /// </summary>
    private ulong Detach(int index, ulong state)
    {
        ref Line line = ref _lines[index];
        if (line.State == LineState.Resident)
        {
            LineList.Remove(_lines, ref _sets[SetOfLine(index)], index);
        }

        _residentLines--;
        ulong mapped = TakeOut(line.Entry, line.Space, line.Address, state);
        return line.More == null && !line.IsDirty ? mapped : mapped | DetachOthers(ref line, mapped, state);
    }

    /// <summary>
    /// If there is a mapping that stores into the line, the first one is such a mapping afterwards. Entries in flight go on to say
    /// that they are leaving.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private ulong DetachOthers(ref Line line, ulong first, ulong state)
    {
        bool isDirty = line.IsDirty;
        line.IsDirty = false;
        bool isStorer = (first & PageState.Stores) != 0;
        ulong kept = state == PageState.InFlight ? PageState.Leaving : 0;
        *line.Entry |= first & kept;
        for (LineMapping* other = line.More; other != null; other = other->Next)
        {
            ulong mapped = TakeOut(other->Entry, other->Space, other->Address, state | (*other->Entry & kept));
            isDirty |= (mapped & PageTable.Dirty) != 0;
            if (!isStorer && (mapped & PageState.Stores) != 0)
            {
                isStorer = true;
                LineMapping storer = *other;
                *other = new LineMapping { Next = storer.Next, Entry = line.Entry, Space = line.Space, Address = line.Address };
                line.Entry = storer.Entry;
                line.Space = storer.Space;
                line.Address = storer.Address;
            }
        }

        return isDirty ? PageTable.Dirty : 0;
    }

    /// <summary>Where the page of a clean line is when the line is gone.</summary>
    private static ulong StateBehind(ref Line line) =>
        line.IsNamed || line.Origin == LineOrigin.Local ? PageState.Untouched : PageState.Remote;
}
