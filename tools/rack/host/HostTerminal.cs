// The tool's own standard streams, used bare: read(2) and write(2) on descriptors 0, 1 and 2, so that every byte passes at once, files
// opened for appending keep their position, and a reader that has gone away shows as such. And the terminal that they may be: its size and
// its modes, which the program on the rack sets as if it ran here (ioctl_tty(2)).

using System;
using System.Runtime.InteropServices;
using System.Threading;
using Mono.Unix.Native;

namespace Lego.Racks;

/// <summary>Standard streams and the terminal they may be.</summary>
internal static unsafe partial class HostTerminal
{
    public const int StandardInput = 0;
    public const int StandardOutput = 1;
    public const int StandardError = 2;

    /// <summary>Bytes of the kernel's struct termios.</summary>
    public const int ModesBytes = 36;

    private const ulong GetModesRequest = 0x5401;
    private const ulong SetModesRequest = 0x5402;
    private const ulong SetModesDrainedRequest = 0x5403;
    private const ulong GetForegroundRequest = 0x540F;
    private const ulong GetWindowSizeRequest = 0x5413;
    private const uint LastAction = 2;
    private const int BackgroundPauseMs = 100;

    /// <summary>Writes everything; 0, or the errno that made it impossible.</summary>
    public static Errno Write(int descriptor, ReadOnlySpan<byte> bytes)
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
                else if (!CanRetry(descriptor, PollEvents.POLLOUT, out Errno error))
                {
                    return error;
                }
            }
        }

        return 0;
    }

    /// <summary>
    /// Reads what is there, waiting for at least a byte; 0 at the end (or on an error). With an empty buffer it only waits.
    /// </summary>
    public static int ReadInput(Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            while (true)
            {
                WaitForInput(buffer.IsEmpty);
                if (buffer.IsEmpty)
                {
                    return 0;
                }

                long result = Syscall.read(StandardInput, start, (ulong)buffer.Length);
                if (result >= 0)
                {
                    return (int)result;
                }

                if (!CanRetry(StandardInput, PollEvents.POLLIN, out _))
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
            flags |= Syscall.isatty(StandardInput) ? StartFlags.StandardInputIsTerminal : 0;
            flags |= Syscall.isatty(StandardOutput) ? StartFlags.StandardOutputIsTerminal : 0;
            flags |= Syscall.isatty(StandardError) ? StartFlags.StandardErrorIsTerminal : 0;
            return flags;
        }
    }

    /// <summary>True when standard output and standard error are the same open file or device: their order then shows.</summary>
    public static bool OutputIsOneFile =>
        Syscall.fstat(StandardOutput, out Stat output) == 0 && Syscall.fstat(StandardError, out Stat error) == 0
        && output.st_dev == error.st_dev && output.st_ino == error.st_ino;

    /// <summary>Rows and columns of the terminal, or zeros.</summary>
    public static (ushort Rows, ushort Columns) Window
    {
        get
        {
            ushort* size = stackalloc ushort[4];
            return Terminal is { } terminal && Control(terminal, GetWindowSizeRequest, size) == 0 ? (size[0], size[1]) : default;
        }
    }

    /// <summary>The terminal's struct termios; all zero without a terminal.</summary>
    public static byte[] Modes
    {
        get
        {
            byte[] modes = new byte[ModesBytes];
            fixed (byte* bytes = modes)
            {
                return Terminal is { } terminal && Control(terminal, GetModesRequest, bytes) == 0 ? modes : new byte[ModesBytes];
            }
        }
    }

    /// <summary>
    /// Sets the terminal's modes; the action is that of tcsetattr(3). Nothing happens in the background, where it would stop the tool.
    /// </summary>
    public static void SetModes(uint action, ReadOnlySpan<byte> modes)
    {
        fixed (byte* bytes = modes)
        {
            if (Terminal is { } terminal && IsForeground(terminal) && modes.Length == ModesBytes && action <= LastAction)
            {
                Control(terminal, SetModesRequest + action, bytes);
            }
        }
    }

    /// <summary>Gives the terminal the modes that it had, after what was written has gone out.</summary>
    public static void RestoreModes(byte[] modes)
    {
        // Unchanged modes are left alone: a terminal that somebody else uses now is none of the tool's business.
        if (!modes.AsSpan().SequenceEqual(new byte[ModesBytes]) && !modes.AsSpan().SequenceEqual(Modes))
        {
            SetModes((uint)(SetModesDrainedRequest - SetModesRequest), modes);
        }
    }

    /// <summary>The descriptor that is a terminal, input first.</summary>
    private static int? Terminal => Syscall.isatty(StandardInput) ? StandardInput : Syscall.isatty(StandardOutput) ? StandardOutput
        : Syscall.isatty(StandardError) ? StandardError : null;

    // Reading a terminal from the background stops the whole process (SIGTTIN, tty_ioctl(4)), and with it a rack that it keeps.
    private static void WaitForInput(bool always)
    {
        if (!always && !Syscall.isatty(StandardInput))
        {
            return;
        }

        Pollfd[] poll = [new Pollfd { fd = StandardInput, events = PollEvents.POLLIN }];
        while (Syscall.poll(poll, 1, -1) < 0 || (Syscall.isatty(StandardInput) && !IsForeground(StandardInput)))
        {
            Thread.Sleep(BackgroundPauseMs);
        }
    }

    // A terminal that is not the session's own has no foreground for us.
    private static bool IsForeground(int terminal)
    {
        int group;
        return Control(terminal, GetForegroundRequest, &group) != 0 || group == Syscall.getpgrp();
    }

    // A signal interrupted the call, or the descriptor is non-blocking and not ready: wait for it.
    private static bool CanRetry(int descriptor, PollEvents wanted, out Errno error)
    {
        error = Stdlib.GetLastError();
        if (error == Errno.EAGAIN)
        {
            Pollfd[] poll = [new Pollfd { fd = descriptor, events = wanted }];
            Syscall.poll(poll, 1, -1);
            return true;
        }

        return error == Errno.EINTR;
    }

    [LibraryImport("libc", EntryPoint = "ioctl")]
    private static partial int Control(int descriptor, ulong request, void* argument);
}
