// What mq_notify's message to a socket says in its last byte (linux/mqueue.h, NOTIFY_*); the others are the program's own.

namespace Lego.Processor;

/// <summary>The last byte of such a message.</summary>
public static class QueueNote
{
    /// <summary>Bytes of the message (NOTIFY_COOKIE_LEN).</summary>
    public const int Bytes = 32;
    public const byte Woken = 1;
    public const byte Removed = 2;
}
