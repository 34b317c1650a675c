// The part of a signal frame that holds x87, SSE and AVX state, as Linux lays it out (arch/x86/kernel/fpu/signal.c): the CPU's own format
// (ExtendedStateArea), in whose spare bytes stands how much follows, and behind it a second magic number. A handler may change it, or build
// one of its own: what the CPU would refuse is looked at first, and a frame without valid magic numbers speaks of x87 and SSE only. What a
// frame does not speak of has its initial state afterwards. BLOCKS: user memory.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Extended state in signal frames.</summary>
public static unsafe class ExtendedFrame
{
    private const ulong Legacy = ExtendedStateArea.X87 | ExtendedStateArea.Sse;

    /// <summary>Components that MXCSR belongs to (SDM vol. 1, 13.8.1).</summary>
    private const ulong WithMxcsr = ExtendedStateArea.Sse | ExtendedStateArea.Avx;

    /// <summary>
    /// Most bytes that aligning a frame and its state takes (Linux's MAX_FRAME_PADDING and MAX_XSAVE_PADDING), and what their sum is
    /// rounded to.
    /// </summary>
    private const ulong FramePadding = 15;
    private const ulong StatePadding = 63;
    private const ulong Rounding = 16;

    /// <summary>More than FXSAVE's bytes are kept.</summary>
    public static bool IsExtended => ExtendedState.Bytes > ExtendedStateArea.LegacyBytes;

    /// <summary>Bytes that a state takes in a frame.</summary>
    public static ulong Bytes => (ulong)ExtendedState.Bytes + (IsExtended ? (ulong)ExtendedStateArea.FrameEndBytes : 0);

    /// <summary>AT_MINSIGSTKSZ: what the kernel itself needs of a signal stack.</summary>
    public static ulong LeastStackBytes =>
        ((ulong)sizeof(SignalFrame) + FramePadding + Bytes + StatePadding + Rounding - 1) / Rounding * Rounding;

    /// <summary>Writes the state of the current thread's program to its memory, at a multiple of 64.</summary>
    public static Errno Put(Process* process, UserContext* user, ulong address)
    {
        // Cleared: the CPU does not write all of it.
        ExtendedStateBuffer buffer = default;
        ExtendedStateArea* area = buffer.Area;
        ExtendedState.Store(area);
        user->StoreVectors(area->Xmm);
        if (!IsExtended)
        {
            return new UserBuffer(address, (ulong)ExtendedState.Bytes)
                .CopyOut(process, 0, new ReadOnlySpan<byte>(area, ExtendedState.Bytes));
        }

        // The legacy part is valid, whatever the CPU says: programs of old change it without looking at the header.
        area->InUse |= Legacy;
        area->Magic = ExtendedStateArea.FrameMagic;
        area->ExtendedBytes = (uint)Bytes;
        area->FrameComponents = ExtendedState.Components;
        area->StateBytes = (uint)ExtendedState.Bytes;
        Errno error = new UserBuffer(address, (ulong)ExtendedState.Bytes)
            .CopyOut(process, 0, new ReadOnlySpan<byte>(area, ExtendedState.Bytes));
        uint end = ExtendedStateArea.FrameEndMagic;
        return error != Errno.None ? error : new UserPointer<uint>(address + (ulong)ExtendedState.Bytes).Write(process, in end);
    }

    /// <summary>
    /// Gives the current thread's program the state that a frame names, 0 = the initial one. EFAULT; EINVAL: no CPU would load it.
    /// </summary>
    public static Errno Take(Process* process, UserContext* user, ulong address)
    {
        ExtendedStateBuffer buffer = default;
        ExtendedStateArea* area = buffer.Area;
        Errno error = Errno.None;
        if (address == 0)
        {
            area->Reset();
        }
        else
        {
            error = Read(process, address, area);
        }

        if (error != Errno.None)
        {
            return error;
        }

        user->LoadVectors(area->Xmm);
        ExtendedState.Load(area);
        return Errno.None;
    }

    private static Errno Read(Process* process, ulong address, ExtendedStateArea* area)
    {
        Errno error = ReadBytes(process, address, area, ExtendedStateArea.LegacyBytes);
        bool isExtended = false;
        if (error == Errno.None && IsExtended)
        {
            error = LooksExtended(process, address, area, out isExtended);
        }

        if (error == Errno.None && isExtended)
        {
            error = ReadBytes(process, address, area, ExtendedState.Bytes);
        }

        if (error != Errno.None)
        {
            return error;
        }

        ulong taken = isExtended ? area->FrameComponents : Legacy;
        if (!isExtended)
        {
            area->InUse = Legacy;
        }

        return Restrict(area, taken & ExtendedState.Components);
    }

    /// <summary>Leaves the components that the frame speaks of. EINVAL.</summary>
    private static Errno Restrict(ExtendedStateArea* area, ulong taken)
    {
        bool hasMxcsr = (taken & WithMxcsr) != 0;
        bool isLoadable = (area->InUse & ~ExtendedState.Components) == 0 && (area->Compaction | area->Reserved) == 0
            && (!hasMxcsr || (area->Mxcsr & ~ExtendedState.MxcsrMask) == 0);
        if (!isLoadable)
        {
            return Errno.EINVAL;
        }

        area->InUse &= taken;
        if (!hasMxcsr)
        {
            area->Mxcsr = ExtendedStateArea.InitialMxcsr;
        }

        if ((area->InUse & ExtendedStateArea.Sse) == 0)
        {
            new Span<byte>(area->Xmm, ExtendedStateArea.XmmBytes).Clear();
        }

        return Errno.None;
    }

    private static Errno LooksExtended(Process* process, ulong address, ExtendedStateArea* area, out bool isExtended)
    {
        isExtended = false;
        bool hasSizes = area->Magic == ExtendedStateArea.FrameMagic && area->StateBytes >= ExtendedStateArea.UpperHalvesOffset
            && area->StateBytes <= ExtendedState.Bytes && area->StateBytes <= area->ExtendedBytes;
        if (!hasSizes)
        {
            return Errno.None;
        }

        Errno error = new UserPointer<uint>(address + area->StateBytes).Read(process, out uint end);
        isExtended = end == ExtendedStateArea.FrameEndMagic;
        return error;
    }

    private static Errno ReadBytes(Process* process, ulong address, ExtendedStateArea* area, int bytes) =>
        new UserBuffer(address, (ulong)bytes).CopyIn(process, 0, new Span<byte>(area, bytes));
}
