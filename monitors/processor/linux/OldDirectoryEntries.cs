// getdents (getdents(2)): the entries of getdents64 in their first layout. A record is as long in both, because the old one has the type,
// one byte, behind the name's terminator instead of before the name. BLOCKS.

using System;
using System.Buffers.Binary;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>struct linux_dirent.</summary>
public static unsafe class OldDirectoryEntries
{
    private const int LengthOffset = 16;
    private const int NewTypeOffset = 18;
    private const int OldNameOffset = 18;
    private const int NewNameOffset = 19;

    [SystemCall(78, "getdents", Support.Full)]
    internal static long Get(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        if (descriptor.IsBad)
        {
            return SystemCall.Fail(Errno.EBADF);
        }

        // At most a page at a time: a caller asks until there is nothing more.
        byte* page = (byte*)call.Process->Table.Frames.Allocate();
        if (page == null)
        {
            return SystemCall.Fail(Errno.ENOMEM);
        }

        long result = Get(ref call, in descriptor, page);
        call.Process->Table.Frames.Free(page);
        return result;
    }

    private static long Get(ref SystemCall call, in Descriptor descriptor, byte* page)
    {
        IoVector to = IoVector.OfKernel(page, Math.Min((uint)call.A2, PageOperations.PageSize));
        using SleepLock.Guard position = descriptor.File->PositionLock.Acquire();
        long result = descriptor.Operations.ReadDirectory(call.Process, descriptor.File, ref to);
        if (result <= 0)
        {
            return result;
        }

        Span<byte> records = new(page, (int)result);
        for (int at = 0; at < records.Length;)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(records.Slice(at + LengthOffset));
            Convert(records.Slice(at, length));
            at += length;
        }

        FileIo.Tell(call.Process, descriptor.File, InotifyMask.Access);
        return SystemCall.Result(UserMemory.CopyOut(call.Process, call.A1, records), result);
    }

    private static void Convert(Span<byte> record)
    {
        byte type = record[NewTypeOffset];
        record.Slice(NewNameOffset).CopyTo(record.Slice(OldNameOffset));
        record[^1] = type;
    }
}
