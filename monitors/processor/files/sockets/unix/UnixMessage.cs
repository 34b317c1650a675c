// What one AF_UNIX socket has sent and another has yet to receive: bytes, the files that go with them, and who sent it. Small messages hold
// their bytes themselves, larger ones in a chain of frames. A message is charged to its sender until it has been received, at what Linux
// charges for a small buffer (SKB_TRUESIZE), or what its frames take; so SO_SNDBUF bounds what a socket can have on the way, and
// UnixSockets what all have. Only copies block.

using System;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A message on the way.</summary>
public unsafe struct UnixMessage
{
    /// <summary>Most bytes of a piece that a stream is cut into.</summary>
    public const int MostOfStream = 32_768;

    private const int InlineBytes = 384;
    private const int FrameBytes = PageOperations.PageSize - sizeof(ulong);
    /// <summary>What the smallest message is charged.</summary>
    private const int LeastCharge = 768;

    public UnixMessage* Next;
    /// <summary>The socket that sent it and is charged, with a reference.</summary>
    public Socket* Sender;
    public int Length;
    /// <summary>Bytes that a stream's reader has taken.</summary>
    public int Taken;
    public int Charge;
    /// <summary>Identity is told: sender or receiver wanted that (SO_PASSCRED).</summary>
    public bool HasIdentity;
    public PeerIdentity Identity;
    public PassedFiles* Files;
    private byte* _frames;
    private Inline _inline;

    [InlineArray(InlineBytes)]
    private struct Inline
    {
        private byte _first;
    }

    /// <summary>Bytes that are left.</summary>
    public readonly int Rest => Length - Taken;

    /// <summary>What a message of so many bytes is charged.</summary>
    public static int ChargeOf(int length) =>
        LeastCharge + (length <= InlineBytes ? 0 : (length + FrameBytes - 1) / FrameBytes * PageOperations.PageSize);

    /// <summary>A message of a sender with room for so many bytes; null without memory, or when all have their share of it.</summary>
    public static UnixMessage* Create(FileSystem files, Socket* sender, int length)
    {
        UnixMessage* message = files.UnixSockets.MayTake(ChargeOf(length)) ? files.UnixMessages.Allocate() : null;
        if (message == null)
        {
            return null;
        }

        byte** link = &message->_frames;
        for (int room = length <= InlineBytes ? length : 0; room < length; room += FrameBytes)
        {
            *link = (byte*)files.Frames.Allocate();
            if (*link == null)
            {
                FreeBytes(files, message);
                return null;
            }

            link = (byte**)*link;
            *link = null;
        }

        message->Length = length;
        message->Charge = ChargeOf(length);
        message->Sender = Socket.Hold(sender);
        sender->Unix.SentBytes += message->Charge;
        files.UnixSockets.ChargedBytes += (ulong)message->Charge;
        return message;
    }

    /// <summary>Frees a message: its sender has room again. Its files must have gone.</summary>
    public static void Free(FileSystem files, UnixMessage* message)
    {
        Socket* sender = message->Sender;
        sender->Unix.SentBytes -= message->Charge;
        files.UnixSockets.ChargedBytes -= (ulong)message->Charge;
        FreeBytes(files, message);
        if (!sender->IsDead && UnixSockets.HasRoom(sender))
        {
            sender->WakeSenders();
        }

        Socket.Release(sender);
    }

    /// <summary>Takes its bytes from the sender's program. EFAULT. BLOCKS.</summary>
    public static Errno Fill(UnixMessage* message, ref IoVector from)
    {
        Errno error = Errno.None;
        for (int offset = 0; offset < message->Length && error == Errno.None;)
        {
            Span<byte> piece = PieceAt(message, offset);
            error = from.Take(piece, out int moved);
            offset += moved;
        }

        return error;
    }

    /// <summary>Gives bytes to the receiver's program; how many arrived. EFAULT. BLOCKS.</summary>
    public static Errno Give(UnixMessage* message, int offset, int length, ref IoVector to, out int given)
    {
        Errno error = Errno.None;
        given = 0;
        while (given < length && error == Errno.None)
        {
            Span<byte> piece = PieceAt(message, offset + given);
            error = to.Give(piece.Slice(0, Math.Min(piece.Length, length - given)), out int moved);
            given += moved;
        }

        return error;
    }

    private static Span<byte> PieceAt(UnixMessage* message, int offset)
    {
        if (message->_frames == null)
        {
            return new Span<byte>((byte*)Unsafe.AsPointer(ref message->_inline) + offset, message->Length - offset);
        }

        byte* frame = message->_frames;
        for (int skipped = offset / FrameBytes; skipped > 0; skipped--)
        {
            frame = *(byte**)frame;
        }

        int inFrame = offset % FrameBytes;
        return new Span<byte>(frame + sizeof(ulong) + inFrame, Math.Min(FrameBytes - inFrame, message->Length - offset));
    }

    private static void FreeBytes(FileSystem files, UnixMessage* message)
    {
        byte* frame = message->_frames;
        while (frame != null)
        {
            byte* next = *(byte**)frame;
            files.Frames.Free(frame);
            frame = next;
        }

        files.UnixMessages.Free(message);
    }
}
