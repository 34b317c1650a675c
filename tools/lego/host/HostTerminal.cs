// The tool's own standard streams, used bare: read(2) and write(2) on descriptors 0, 1 and 2, so that every byte passes at once, files opened
// for appending keep their position, and a reader that has gone away shows as such.

using System;
using Mono.Unix.Native;

namespace Lego.Tool;

/// <summary>Standard streams and the window of the terminal they may be.</summary>
public static unsafe class HostTerminal
{
    public const int StandardInput = 0;
    public const int StandardOutput = 1;
    public const int StandardError = 2;

    /// <summary>Writes everything; false when nobody reads any more (EPIPE) or the device is full or gone.</summary>
    public static bool Write(int descriptor, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes)
        {
            int written = 0;
            while (written < bytes.Length)
            {
                long result = Syscall.write(descriptor, start + written, (ulong)(bytes.Length - written));
                if (result >= 0)
                {
                    written += (int)result;
                }
                else if (!CanRetry(descriptor, PollEvents.POLLOUT))
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Reads what is there, waiting for at least a byte; 0 at the end (or on an error).</summary>
    public static int ReadInput(Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            while (true)
            {
                long result = Syscall.read(StandardInput, start, (ulong)buffer.Length);
                if (result >= 0)
                {
                    return (int)result;
                }

                if (!CanRetry(StandardInput, PollEvents.POLLIN))
                {
                    return 0;
                }
            }
        }
    }

    /// <summary>Flags for the program: which streams are terminals.</summary>
    public static StartFlags Flags
    {
        get
        {
            StartFlags flags = StartFlags.None;
            flags |= Console.IsInputRedirected ? 0 : StartFlags.StandardInputIsTerminal;
            flags |= Console.IsOutputRedirected ? 0 : StartFlags.StandardOutputIsTerminal;
            flags |= Console.IsErrorRedirected ? 0 : StartFlags.StandardErrorIsTerminal;
            return flags;
        }
    }

    /// <summary>Rows and columns of the terminal, or zeros.</summary>
    public static (ushort Rows, ushort Columns) Window
    {
        get
        {
            try
            {
                return Console.IsOutputRedirected ? default : ((ushort)Console.WindowHeight, (ushort)Console.WindowWidth);
            }
            catch (System.IO.IOException)
            {
                return default;
            }
        }
    }

    // A signal interrupted the call, or the descriptor is non-blocking and not ready: wait for it.
    private static bool CanRetry(int descriptor, PollEvents wanted)
    {
        Errno error = Stdlib.GetLastError();
        if (error == Errno.EAGAIN)
        {
            Pollfd[] poll = [new Pollfd { fd = descriptor, events = wanted }];
            Syscall.poll(poll, 1, -1);
            return true;
        }

        return error == Errno.EINTR;
    }
}
