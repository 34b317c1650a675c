// A reference model of mmap(2) and its relatives that knows pages only: what each page of a window below MapBase is. Written from the man
// pages and Linux's order of checks, without any of the monitor's structures, so that the two can be compared.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;

namespace Lego.Tests.Memory;

/// <summary>One page of the model; a page with Protection null is not mapped.</summary>
internal struct ModelPage
{
    internal bool IsMapped;
    internal Protection Protection;
    internal bool IsShared;
    internal bool MayWrite;
    /// <summary>0 = anonymous; else a file, of which this is page FilePage.</summary>
    internal uint File;
    internal ulong FilePage;
    /// <summary>Which mapping made it: mremap moves within one mapping only.</summary>
    internal byte Stamp;
    internal bool HasFrame;
}

internal sealed class VmaModel
{
    internal const ulong WindowPages = 2048;
    internal const ulong WindowStart = AddressLayout.MapBase - (WindowPages * PageOperations.PageSize);
    private const ulong Page = PageOperations.PageSize;

    internal readonly ModelPage[] Pages = new ModelPage[WindowPages];

    internal static int IndexOf(ulong address) => (int)((address - WindowStart) / Page);

    internal static ulong AddressOf(int index) => WindowStart + ((ulong)index * Page);

    private static ulong Up(ulong value) => (value + Page - 1) & ~(Page - 1);

    private static bool Aligned(ulong value) => value % Page == 0;

    internal Errno Map(
        ulong address, ulong length, Protection protection, Protection allowed, MapFlags flags, uint file, ulong offset, out ulong result)
    {
        result = 0;
        if (!Aligned(offset) || length == 0)
        {
            return Errno.EINVAL;
        }

        length = Up(length);
        bool noReplace = (flags & MapFlags.FixedNoReplace) != 0;
        if ((flags & MapFlags.Fixed) != 0 || noReplace)
        {
            if (!Aligned(address))
            {
                return Errno.EINVAL;
            }

            if (noReplace && AnyMapped(address, length))
            {
                return Errno.EEXIST;
            }
        }
        else
        {
            address &= ~(Page - 1);
            if (address == 0 || AnyMapped(address, length))
            {
                address = FindGap(length);
            }
        }

        MapFlags type = flags & MapFlags.TypeMask;
        if (type != MapFlags.Private && type != MapFlags.Shared)
        {
            return Errno.EINVAL;
        }

        bool mayWrite = file != 0 && (allowed & Protection.Write) != 0;
        if (type == MapFlags.Shared && (protection & Protection.Write) != 0 && !mayWrite)
        {
            return Errno.EACCES;
        }

        for (ulong done = 0; done < length; done += Page)
        {
            Pages[IndexOf(address + done)] = new ModelPage
            {
                IsMapped = true,
                Protection = protection,
                File = file,
                FilePage = file == 0 ? 0 : (offset + done) / Page,
                IsShared = type == MapFlags.Shared,
                MayWrite = mayWrite,
            };
        }

        result = address;
        return Errno.None;
    }

    internal Errno Unmap(ulong address, ulong length)
    {
        if (!Aligned(address) || length > AddressLayout.TaskSize - address || Up(length) == 0)
        {
            return Errno.EINVAL;
        }

        for (ulong done = 0; done < Up(length); done += Page)
        {
            Pages[IndexOf(address + done)] = default;
        }

        return Errno.None;
    }

    internal Errno Protect(ulong address, ulong length, Protection protection)
    {
        if (!Aligned(address))
        {
            return Errno.EINVAL;
        }

        for (ulong done = 0; done < Up(length); done += Page)
        {
            ref ModelPage page = ref Pages[IndexOf(address + done)];
            if (!page.IsMapped)
            {
                return Errno.ENOMEM;
            }

            if (page.IsShared && !page.MayWrite && (protection & Protection.Write) != 0)
            {
                return Errno.EACCES;
            }

            page.Protection = protection;
        }

        return Errno.None;
    }

    internal Errno Remap(ulong address, ulong oldLength, ulong newLength, RemapFlags flags, ulong target, out ulong result)
    {
        result = 0;
        bool mayMove = (flags & RemapFlags.MayMove) != 0;
        bool isFixed = (flags & RemapFlags.Fixed) != 0;
        if ((isFixed && !mayMove) || !Aligned(address) || newLength == 0)
        {
            return Errno.EINVAL;
        }

        oldLength = Up(oldLength);
        newLength = Up(newLength);
        if (!Pages[IndexOf(address)].IsMapped)
        {
            return Errno.EFAULT;
        }

        if (isFixed)
        {
            if (!Aligned(target) || (address + oldLength > target && target + newLength > address))
            {
                return Errno.EINVAL;
            }

            if (oldLength == 0)
            {
                return Errno.EINVAL;
            }

            ulong moved = Math.Min(oldLength, newLength);
            if (RunLength(address) < moved)
            {
                return Errno.EFAULT;
            }

            Unmap(target, newLength);
            if (oldLength > newLength)
            {
                Unmap(address + newLength, oldLength - newLength);
            }

            Move(address, moved, target, newLength);
            result = target;
            return Errno.None;
        }

        result = address;
        if (oldLength >= newLength)
        {
            return oldLength == newLength ? Errno.None : Unmap(address + newLength, oldLength - newLength);
        }

        result = 0;
        ulong run = RunLength(address);
        if (oldLength == 0)
        {
            return Pages[IndexOf(address)].IsShared ? throw new NotSupportedException() : Errno.EINVAL;
        }

        if (run < oldLength)
        {
            return Errno.EFAULT;
        }

        ulong end = address + oldLength;
        if (run == oldLength && end + (newLength - oldLength) <= AddressLayout.MapBase && !AnyMapped(end, newLength - oldLength))
        {
            ModelPage last = Pages[IndexOf(end - Page)];
            Extend(last, end, newLength - oldLength);
            result = address;
            return Errno.None;
        }

        if (!mayMove)
        {
            return Errno.ENOMEM;
        }

        result = FindGap(newLength);
        Move(address, oldLength, result, newLength);
        return Errno.None;
    }

    internal bool AnyMapped(ulong address, ulong length)
    {
        for (ulong done = 0; done < length; done += Page)
        {
            if (Pages[IndexOf(address + done)].IsMapped)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Highest free place below MapBase.</summary>
    private ulong FindGap(ulong length)
    {
        int wanted = (int)(length / Page);
        int run = 0;
        for (int index = (int)WindowPages - 1; index >= 0; index--)
        {
            run = Pages[index].IsMapped ? 0 : run + 1;
            if (run == wanted)
            {
                return AddressOf(index);
            }
        }

        throw new InvalidOperationException("the window is full");
    }

    /// <summary>Bytes from here to the end of what looks like one mapping.</summary>
    private ulong RunLength(ulong address)
    {
        int index = IndexOf(address);
        int end = index + 1;
        while (end < (int)WindowPages && Continues(Pages[end - 1], Pages[end]))
        {
            end++;
        }

        return (ulong)(end - index) * Page;
    }

    internal static bool Continues(in ModelPage first, in ModelPage next) =>
        next.IsMapped && next.Protection == first.Protection && next.File == first.File && next.IsShared == first.IsShared
            && (!first.IsShared || next.MayWrite == first.MayWrite)
        && (first.File == 0 || next.FilePage == first.FilePage + 1);

    private void Move(ulong from, ulong moved, ulong to, ulong newLength)
    {
        for (ulong done = 0; done < moved; done += Page)
        {
            Pages[IndexOf(to + done)] = Pages[IndexOf(from + done)];
            Pages[IndexOf(from + done)] = default;
        }

        if (newLength > moved)
        {
            Extend(Pages[IndexOf(to + moved - Page)], to + moved, newLength - moved);
        }
    }

    private void Extend(ModelPage last, ulong start, ulong length)
    {
        last.Stamp = 0;
        last.HasFrame = false;
        for (ulong done = 0; done < length; done += Page)
        {
            if (last.File != 0)
            {
                last.FilePage++;
            }

            Pages[IndexOf(start + done)] = last;
        }
    }
}
