// A message queue of System V (msgop(2)): messages, oldest first, each a chain of pieces, and who waits for room or for a message.
//
// What holds, whenever the kernel lock is let go: Bytes and Messages are what the list holds; whoever waits has been woken after each
// change that could concern it, and looks again. A queue that was removed is in no table and empty; its memory goes with the last who
// waited (EIDRM). A message in the list is complete.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A part of a message's text.</summary>
public unsafe struct MessagePiece
{
    public const int TextBytes = 112;

    public MessagePiece* Next;
    private fixed byte _text[TextBytes];

    /// <summary>The piece's bytes.</summary>
    public Span<byte> Text
    {
        get
        {
            fixed (byte* text = _text)
            {
                return new Span<byte>(text, TextBytes);
            }
        }
    }
}

/// <summary>One message.</summary>
public unsafe struct Message
{
    public Message* Next;
    public long Type;
    public int LengthBytes;
    public MessagePiece* Pieces;
}

/// <summary>A queue; its IpcObject comes first.</summary>
public unsafe struct MessageQueue
{
    public const uint NoError = 0x1000;
    public const uint Except = 0x2000;

    public IpcObject Head;
    public ulong MaxBytes;
    public ulong Bytes;
    public ulong Messages;
    public uint LastSender;
    public uint LastReceiver;
    public ulong SendTimeNs;
    public ulong ReceiveTimeNs;
    public Message* First;
    public Message* Last;
    /// <summary>Threads that wait in one of the queues below, or have been woken there and not run since.</summary>
    public uint Waiters;
    public bool IsRemoved;
    public WaitQueue Senders;
    public WaitQueue Receivers;

    /// <summary>
    /// Whether a message of some length may be added. A queue takes no more messages than bytes, so that empty ones have an end as well.
    /// </summary>
    public readonly bool HasRoom(int lengthBytes) => Bytes + (ulong)lengthBytes <= MaxBytes && Messages + 1 <= MaxBytes;

    public void Add(Message* message)
    {
        message->Next = null;
        if (Last == null)
        {
            First = message;
        }
        else
        {
            Last->Next = message;
        }

        Last = message;
        Bytes += (ulong)message->LengthBytes;
        Messages++;
    }

    /// <summary>
    /// The message that msgrcv(2) means: the first one (0), the first of a type, the first of another type (MSG_EXCEPT), or of those up to
    /// a type the first of the lowest. Null: none.
    /// </summary>
    public readonly Message* Find(long type, uint flags)
    {
        Message* found = null;
        for (Message* message = First; message != null; message = message->Next)
        {
            if (type >= 0)
            {
                bool isSought = type == 0 || (message->Type == type) != ((flags & Except) != 0);
                if (isSought)
                {
                    return message;
                }

                continue;
            }

            bool isLow = type == long.MinValue || message->Type <= -type;
            found = isLow && (found == null || message->Type < found->Type) ? message : found;
        }

        return found;
    }

    public void Take(Message* message)
    {
        Message* before = null;
        for (Message* other = First; other != message; other = other->Next)
        {
            before = other;
        }

        if (before == null)
        {
            First = message->Next;
        }
        else
        {
            before->Next = message->Next;
        }

        Last = Last == message ? before : Last;
        Bytes -= (ulong)message->LengthBytes;
        Messages--;
    }
}
