// A received frame: the view. Check copies the header out of memory that the sender may still be able to change, looks at the copy only,
// and says whether the rest can be trusted to be where the header says. Nothing of a frame is used before it has passed.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Checks of received frames, and the checksum of sent ones.</summary>
internal static unsafe class MessageFrame
{
    /// <summary>What the checks return for a frame that must be thrown away.</summary>
    private const int NotSound = -1;
    /// <summary>Magic and version as they lie in the header's first word.</summary>
    private const ulong Mark = MessageHeader.MagicValue | ((ulong)MessageHeader.CurrentVersion << 32);
    private const ulong MarkMask = 0xFF_FFFF_FFFF;
    /// <summary>The upper half of the sixth word of a message in one frame: index 0, count 1.</summary>
    private const uint OneFragment = 1U << 16;

    /// <summary>
    /// Check for what nearly every frame is: a sound message in one frame. A negative length says only that Check must look.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static int ReadPlain(byte* frame, int frameBytes, MessageHeader* header)
    {
        if (frameBytes < MessageHeader.SizeBytes)
        {
            return NotSound;
        }

        FrameCopy.Header((byte*)header, frame);
        uint bodyBytes = header->BodyBytes;
        return (*(ulong*)header & MarkMask) == Mark && ((uint*)header)[11] == OneFragment
            && bodyBytes <= (uint)(frameBytes - MessageHeader.SizeBytes) && bodyBytes <= MessageHeader.MaxBodyBytes
            && (uint)header->Kind - 1 < (uint)MessageKind.Greeting && header->Class <= RpcClass.Liveness
            ? (int)bodyBytes : NotSound;
    }

    /// <summary>
    /// Copies and checks the header. The length of this frame's part of the body, right after the header; negative: throw it away.
    /// </summary>
    /// <param name="frame">The frame, in memory that does not move.</param>
    /// <param name="frameBytes">Its length; links with a minimum length may have padded it.</param>
    /// <param name="header">Receives the copy; only meaningful for a sound frame.</param>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static int Check(byte* frame, int frameBytes, MessageHeader* header)
    {
        if (frameBytes < MessageHeader.SizeBytes)
        {
            return NotSound;
        }

        FrameCopy.Header((byte*)header, frame);
        if ((*(ulong*)header & MarkMask) != Mark || (uint)header->Kind - 1 >= (uint)MessageKind.Greeting
            || header->Class > RpcClass.Liveness || header->BodyBytes > MessageHeader.MaxBodyBytes)
        {
            return NotSound;
        }

        uint part = header->BodyBytes;
        bool fits = header->FragmentCount == 1
            ? header->FragmentIndex == 0
            : FragmentFits(*header, out part);
        return fits && part <= (uint)(frameBytes - MessageHeader.SizeBytes) ? (int)part : NotSound;
    }

    /// <summary>The checksum of a frame made of these pieces.</summary>
    internal static uint ChecksumOf(in MessageHeader header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        MessageHeader zeroed = header;
        zeroed.Checksum = 0;
        ulong body = BodyDigest.Of(a, b);
        uint state = Crc32c.Add(Crc32c.Start, new ReadOnlySpan<byte>(&zeroed, MessageHeader.SizeBytes));
        return Crc32c.Finish(Crc32c.Add(state, new ReadOnlySpan<byte>(&body, sizeof(ulong))));
    }

    /// <summary>Whether a sound frame arrived as it was sent; for links that can corrupt.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static bool ChecksumHolds(MessageHeader* header, byte* body, int bodyBytes) =>
        (header->Flags & MessageFlags.Checksummed) != 0
        && ChecksumOf(*header, new ReadOnlySpan<byte>(body, bodyBytes), default) == header->Checksum;

    /// <summary>
    /// A fragment must be exactly the piece that its index says, so that the pieces of a message cover it without overlap.
    /// </summary>
    private static bool FragmentFits(in MessageHeader header, out uint part)
    {
        part = 0;
        uint count = header.FragmentCount;
        if (count == 0 || count > MessageHeader.MaxFragments || header.FragmentIndex >= count)
        {
            return false;
        }

        uint unit = MessageHeader.FragmentUnit(header.BodyBytes, count);
        uint offset = header.FragmentOffset;
        if (offset >= header.BodyBytes)
        {
            return false;
        }

        uint rest = header.BodyBytes - offset;
        bool last = header.FragmentIndex == count - 1;
        part = last ? rest : unit;
        return last ? rest <= unit : rest > unit;
    }
}

/// <summary>Whether frames of a link carry a checksum.</summary>
internal enum ChecksumUse
{
    Skipped,
    Required,
}
