// Copies of received requests: those that wait for a worker thread, and those whose fragments are being collected. Two sizes, taken from
// the frame allocator at boot; when they run out the request is turned away (Busy) and its sender keeps it: that is the back-pressure.

using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>A request outside the link; the body follows at <see cref="BodyOffset"/>.</summary>
internal unsafe struct MessageBuffer
{
    internal const int BodyOffset = 128;

    internal MessageBuffer* Next;
    internal MessageHeader Header;
    internal ulong FragmentsSeen;
    internal bool IsLarge;
    internal bool IsReplay;
}

/// <summary>The pool of both sizes.</summary>
internal sealed unsafe class MessageBuffers
{
    /// <summary>A path of 4 KB, a page of data and their heads.</summary>
    private const ulong SmallPages = 3;
    private const ulong LargePages = 18;
    private const int SmallBodyBytes = ((int)SmallPages * PageOperations.PageSize) - MessageBuffer.BodyOffset;

    private MessageBuffer* _freeSmall;
    private MessageBuffer* _freeLarge;

    internal MessageBuffers(FrameAllocator frames, int small, int large)
    {
        for (int count = 0; count < small; count++)
        {
            Free(Make(frames, SmallPages));
        }

        for (int count = 0; count < large; count++)
        {
            MessageBuffer* buffer = Make(frames, LargePages);
            buffer->IsLarge = true;
            Free(buffer);
        }
    }

    /// <summary>Where the body is.</summary>
    internal static byte* BodyOf(MessageBuffer* buffer) => (byte*)buffer + MessageBuffer.BodyOffset;

    /// <summary>A buffer that holds the body, or null.</summary>
    internal MessageBuffer* Take(int bodyBytes)
    {
        MessageBuffer* buffer = _freeSmall;
        if (bodyBytes <= SmallBodyBytes && buffer != null)
        {
            _freeSmall = buffer->Next;
            return buffer;
        }

        buffer = _freeLarge;
        if (buffer != null)
        {
            _freeLarge = buffer->Next;
        }

        return buffer;
    }

    internal void Free(MessageBuffer* buffer)
    {
        if (buffer->IsLarge)
        {
            buffer->Next = _freeLarge;
            _freeLarge = buffer;
        }
        else
        {
            buffer->Next = _freeSmall;
            _freeSmall = buffer;
        }
    }

    private static MessageBuffer* Make(FrameAllocator frames, ulong pages)
    {
        MessageBuffer* buffer = (MessageBuffer*)frames.AllocateContiguous(pages);
        if (buffer == null)
        {
            Panic.Because("MessageBuffers: no memory at boot");
        }

        *buffer = default;
        return buffer;
    }
}

/// <summary>A first-in first-out list of buffers, one per class.</summary>
internal unsafe struct BufferQueue
{
    internal MessageBuffer* First;
    internal MessageBuffer* Last;

    internal void Append(MessageBuffer* buffer)
    {
        buffer->Next = null;
        if (First == null)
        {
            First = buffer;
        }
        else
        {
            Last->Next = buffer;
        }

        Last = buffer;
    }

    internal MessageBuffer* TakeFirst()
    {
        MessageBuffer* buffer = First;
        First = buffer->Next;
        return buffer;
    }
}
