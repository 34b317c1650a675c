// How many connections may wait to be accepted by another process. QEMU's user network listens with a backlog of one (libslirp,
// tcpx_listen), so of fifty clients that come at once Linux drops the SYNs of forty-eight, and each tries again after 1, 3, 7, 15 ... s.
// listen(2) on a socket that listens already changes its backlog, and pidfd_getfd(2) lends the socket of a process that one may trace.

using System;
using System.IO;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Mono.Unix.Native;

namespace Lego.Racks;

/// <summary>Widens the backlog of a process that is ours.</summary>
internal static partial class ListenBacklog
{
    /// <summary>Linux's own bound is net.core.somaxconn.</summary>
    private const int Wanted = 4096;

    // asm-generic/unistd.h; the same on each architecture.
    private const long PidfdOpen = 434;
    private const long PidfdGetfd = 438;

    /// <summary>
    /// Widens the backlog of each socket of a process that listens at an IPv4 address. False: there is none, or the host does not let us
    /// (a seccomp filter, Yama); then a burst of connections takes longer.
    /// </summary>
    public static bool TryWiden(int processId, IPEndPoint address)
    {
        int process = (int)SystemCall(PidfdOpen, processId, 0, 0);
        if (process < 0)
        {
            return false;
        }

        bool any = false;
        try
        {
            foreach (FileSystemInfo descriptor in new DirectoryInfo($"/proc/{processId}/fd").EnumerateFileSystemInfos())
            {
                bool isSocket = descriptor.LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true;
                int borrowed = isSocket ? (int)SystemCall(PidfdGetfd, process, long.Parse(descriptor.Name), 0) : -1;
                if (borrowed >= 0)
                {
                    any |= ListensAt(borrowed, address) && Syscall.listen(borrowed, Wanted) == 0;
                    Syscall.close(borrowed);
                }
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // The process has ended, or its descriptors are not ours to see.
        }
        finally
        {
            Syscall.close(process);
        }

        return any;
    }

    private static bool ListensAt(int socket, IPEndPoint address)
    {
        SockaddrIn name = new();
        return Syscall.getsockopt(socket, UnixSocketProtocol.SOL_SOCKET, UnixSocketOptionName.SO_ACCEPTCONN, out int listens) == 0
            && listens != 0 && Syscall.getsockname(socket, name) == 0 && name.sa_family == UnixAddressFamily.AF_INET
            && BitConverter.GetBytes(name.sin_addr.s_addr).AsSpan().SequenceEqual(address.Address.GetAddressBytes())
            && (ushort)IPAddress.NetworkToHostOrder((short)name.sin_port) == address.Port;
    }

    [LibraryImport("libc", EntryPoint = "syscall")]
    private static partial long SystemCall(long number, long first, long second, long third);
}
