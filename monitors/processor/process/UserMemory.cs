// The only way from the kernel to a program's memory. A user address is never dereferenced: the copy walks the page table, brings lines
// that are not resident into the ExCache, checks the mapping's protection, sets the accessed and dirty bits that the hardware would have
// set, and moves the bytes through the line's kernel address. Any copy may BLOCK (a miss is a message), so the caller must re-check what it
// read of shared state before. Errors: EFAULT for an address outside the user half or a mapping that does not allow the access.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A program's allegation that a <typeparamref name="T"/> is at an address.</summary>
public readonly unsafe struct UserPointer<T> where T : unmanaged
{
    public readonly ulong Address;

    public UserPointer(ulong address)
    {
        Address = address;
    }

    public bool IsNull => Address == 0;

    /// <summary>Copies the value from the program's memory. EFAULT.</summary>
    public Errno Read(Process* process, out T value)
    {
        value = default;
        return UserMemory.CopyIn(process, Address, MemoryMarshal.AsBytes(new Span<T>(ref value)));
    }

    /// <summary>Copies the value to the program's memory. EFAULT.</summary>
    public Errno Write(Process* process, in T value) =>
        UserMemory.CopyOut(process, Address, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));

    /// <summary>Copies element <paramref name="index"/> of an array that starts at the address. EFAULT.</summary>
    public Errno ReadAt(Process* process, ulong index, out T value) =>
        new UserPointer<T>(Address + (index * (ulong)sizeof(T))).Read(process, out value);

    /// <summary>Writes element <paramref name="index"/> of an array that starts at the address. EFAULT.</summary>
    public Errno WriteAt(Process* process, ulong index, in T value) =>
        new UserPointer<T>(Address + (index * (ulong)sizeof(T))).Write(process, in value);
}

/// <summary>A program's allegation that it owns a range of bytes.</summary>
public readonly unsafe struct UserBuffer
{
    public readonly ulong Address;
    public readonly ulong LengthBytes;

    public UserBuffer(ulong address, ulong lengthBytes)
    {
        Address = address;
        LengthBytes = lengthBytes;
    }

    /// <summary>Copies bytes [offset, offset + to.Length) from the program. EFAULT, also when that leaves the buffer.</summary>
    public Errno CopyIn(Process* process, ulong offset, Span<byte> to) =>
        Holds(offset, (ulong)to.Length) ? UserMemory.CopyIn(process, Address + offset, to) : Errno.EFAULT;

    /// <summary>Copies to bytes [offset, offset + from.Length) of the program. EFAULT, also when that leaves the buffer.</summary>
    public Errno CopyOut(Process* process, ulong offset, ReadOnlySpan<byte> from) =>
        Holds(offset, (ulong)from.Length) ? UserMemory.CopyOut(process, Address + offset, from) : Errno.EFAULT;

    private bool Holds(ulong offset, ulong lengthBytes) => offset <= LengthBytes && lengthBytes <= LengthBytes - offset;
}

/// <summary>NUL-terminated strings of a program.</summary>
public static unsafe class UserString
{
    /// <summary>Most strings end within so many bytes; longer ones are copied in pieces that grow.</summary>
    private const int FirstPieceBytes = 64;

    /// <summary>
    /// Copies the string at <paramref name="address"/> with its terminator; <paramref name="lengthBytes"/> does not count the terminator.
    /// EFAULT, or ENAMETOOLONG when no terminator is found within <paramref name="to"/>.
    /// </summary>
    public static Errno Copy(Process* process, ulong address, Span<byte> to, out int lengthBytes)
    {
        lengthBytes = 0;
        for (int most = FirstPieceBytes; lengthBytes < to.Length; most *= 2)
        {
            ulong pageRest = PageOperations.PageSize - ((address + (ulong)lengthBytes) & (PageOperations.PageSize - 1));
            int chunk = Math.Min(Math.Min((int)pageRest, most), to.Length - lengthBytes);
            Span<byte> piece = to.Slice(lengthBytes, chunk);
            Errno error = UserMemory.CopyIn(process, address + (ulong)lengthBytes, piece);
            if (error != Errno.None)
            {
                return error;
            }

            int end = piece.IndexOf((byte)0);
            if (end >= 0)
            {
                lengthBytes += end;
                return Errno.None;
            }

            lengthBytes += chunk;
        }

        return Errno.ENAMETOOLONG;
    }
}

/// <summary>Checked copies between kernel and program; see the file's head.</summary>
public static unsafe class UserMemory
{
    /// <summary>First address above the user half.</summary>
    public const ulong Limit = AddressSpace.Limit;

    /// <summary>
    /// True when bits 63 to 47 are equal; other addresses fault where they are loaded, RIP and the segment bases in ring 0 (SDM vol. 1,
    /// 3.3.7.1).
    /// </summary>
    public static bool IsCanonical(ulong address) => (ulong)((long)address << 16 >> 16) == address;

    /// <summary>The range does not lie in the user half.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsWild(ulong address, ulong lengthBytes) => address > Limit || lengthBytes > Limit - address;

    /// <summary>Copies from the program. EFAULT; what was copied before the fault stays in <paramref name="to"/>.</summary>
    public static Errno CopyIn(Process* process, ulong address, Span<byte> to) =>
        Copy(process, address, (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(to)), (ulong)to.Length, MissAccess.Read, out _);

    /// <summary>Copies to the program. EFAULT; what was copied before the fault stays written.</summary>
    public static Errno CopyOut(Process* process, ulong address, ReadOnlySpan<byte> from) =>
        Copy(process, address, (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetReference(from)), (ulong)from.Length, MissAccess.Write, out _);

    /// <summary>As CopyIn and CopyOut by <paramref name="access"/>, telling how many bytes moved before a fault.</summary>
    public static Errno Copy(Process* process, ulong address, byte* kernel, ulong lengthBytes, MissAccess access, out ulong copiedBytes)
    {
        if (address >= Limit || lengthBytes > Limit - address)
        {
            copiedBytes = 0;
            return lengthBytes == 0 ? Errno.None : Errno.EFAULT;
        }

        process->Table.Turns.Spend(lengthBytes);
        if (lengthBytes <= RestOfPage(address) && TryFind(process, address, access, out byte* user))
        {
            if (access == MissAccess.Write)
            {
                PageOperations.CopyBytes(user, kernel, lengthBytes);
            }
            else
            {
                PageOperations.CopyBytes(kernel, user, lengthBytes);
            }

            copiedBytes = lengthBytes;
            return Errno.None;
        }

        return CopyPages(process, address, kernel, lengthBytes, access, out copiedBytes);
    }

    /// <summary>
    /// The kernel's address of a byte of the program, if its page is there and has been used so before: nearly always. Valid until the
    /// caller blocks; the address is below <see cref="Limit"/>. Does not block.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static bool TryFind(Process* process, ulong address, MissAccess access, out byte* at)
    {
        const ulong Read = PageTable.Present | PageTable.User | PageTable.Accessed;
        const ulong Written = Read | PageTable.Writable | PageTable.Dirty;
        at = null;
        ulong* entry = process->Space == null ? null : PageTable.Find(process->Space->PageTableRoot, address);
        ulong needed = access == MissAccess.Write ? Written : Read;
        if (entry == null || (*entry & needed) != needed)
        {
            return false;
        }

        at = ExCache.PageOf(*entry) + (address & (PageOperations.PageSize - 1));
        return true;
    }

    /// <summary>Bytes from an address to the end of its page.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong RestOfPage(ulong address) => PageOperations.PageSize - (address & (PageOperations.PageSize - 1));

    /// <summary>Page by page; a call of its own, so that the usual copy has no frame for it.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Errno CopyPages(
        Process* process, ulong address, byte* kernel, ulong lengthBytes, MissAccess access, out ulong copiedBytes)
    {
        copiedBytes = 0;
        while (copiedBytes < lengthBytes)
        {
            ulong at = address + copiedBytes;
            Errno error = LineFaults.Pin(process, at, access, out byte* line);
            if (error != Errno.None)
            {
                return Errno.EFAULT;
            }

            ulong inPage = at & (PageOperations.PageSize - 1);
            ulong chunk = Math.Min(PageOperations.PageSize - inPage, lengthBytes - copiedBytes);
            // Between Pin and here nothing blocks, so the line is still resident (kernel code is atomic on its processor).
            if (access == MissAccess.Write)
            {
                PageOperations.CopyBytes(line + inPage, kernel + copiedBytes, chunk);
            }
            else
            {
                PageOperations.CopyBytes(kernel + copiedBytes, line + inPage, chunk);
            }

            copiedBytes += chunk;
        }

        return Errno.None;
    }
}
