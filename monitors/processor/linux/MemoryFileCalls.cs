// memfd_create (memfd_create(2)) and the seals of fcntl(2). The objects are in files/memory. BLOCKS.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls of files that are in memory alone.</summary>
public static unsafe class MemoryFileCalls
{
    internal const ulong AddSeals = 1033;
    internal const ulong GetSeals = 1034;

    private const uint CloseOnExec = 1;
    private const uint AllowSealing = 2;
    private const uint HugePages = 4;
    private const uint NoExecuteSeal = 8;
    private const uint Executable = 0x10;
    /// <summary>With HugePages: the logarithm of their size.</summary>
    private const uint HugeSizes = 0xFC00_0000;
    /// <summary>Longest name; with its prefix it is one of a directory entry (NAME_MAX).</summary>
    private const int MaxNameBytes = 249;
    private const uint AllRights = 0x1FF;
    private const uint AnyExecute = 0x49;

    [SystemCall(319, "memfd_create", Support.Partial, "no huge pages (MFD_HUGETLB)")]
    internal static long Create(ref SystemCall call)
    {
        uint flags = (uint)call.A1;
        uint known = CloseOnExec | AllowSealing | HugePages | NoExecuteSeal | Executable | ((flags & HugePages) != 0 ? HugeSizes : 0);
        const uint Contradiction = NoExecuteSeal | Executable;
        if ((flags & ~known) != 0 || (flags & Contradiction) == Contradiction)
        {
            return SystemCall.Fail(Errno.EINVAL);
        }

        Span<byte> path = stackalloc byte["/memfd:"u8.Length + MaxNameBytes + 1];
        "/memfd:"u8.CopyTo(path);
        Errno error = UserString.Copy(call.Process, call.A0, path.Slice("/memfd:"u8.Length), out int length);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error == Errno.ENAMETOOLONG ? Errno.EINVAL : error);
        }

        if ((flags & HugePages) != 0)
        {
            // A kernel without them (CONFIG_HUGETLBFS).
            return SystemCall.Fail(Errno.ENOSYS);
        }

        bool isFixed = (flags & NoExecuteSeal) != 0;
        FileSeals seals = isFixed ? FileSeals.Execute : (flags & AllowSealing) != 0 ? FileSeals.None : FileSeals.Seal;
        error = MemoryObject.Create(call.Process, path.Slice(0, "/memfd:"u8.Length + length), isFixed ? AllRights & ~AnyExecute : AllRights,
            seals,
            out OpenFile* file);
        return error != Errno.None ? SystemCall.Fail(error) : DescriptorCalls.Install(call.Process, file, (flags & CloseOnExec) != 0);
    }

    /// <summary>F_ADD_SEALS and F_GET_SEALS.</summary>
    internal static long Seal(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (call.A1 == AddSeals)
        {
            return SystemCall.Result(MemoryObject.AddSeals(call.Process, descriptor.File, (FileSeals)call.A2));
        }

        FileNode* node = descriptor.File->Node;
        return node == null || node->Memory == null ? SystemCall.Fail(Errno.EINVAL) : (long)node->Memory->Seals;
    }
}
