// Connected pairs of unix stream sockets. QEMU takes one end as an inherited descriptor ("-chardev socket,fd=N"), so no socket file has a
// name, nothing must exist before something else starts, and nothing is left behind.

using System;
using System.Net.Sockets;
using Mono.Unix.Native;

namespace Lego.Racks;

/// <summary>Two joined descriptors that children inherit.</summary>
internal sealed class SocketPair : IDisposable
{
    private int _first;
    private int _second;

    public SocketPair()
    {
        if (Syscall.socketpair(UnixAddressFamily.AF_UNIX, UnixSocketType.SOCK_STREAM, 0, 0, out _first, out _second) != 0)
        {
            throw ToolException.Host($"no socket pair: {Stdlib.GetLastError()}");
        }
    }

    public int First => _first;

    public int Second => _second;

    /// <summary>Keeps the first end in this process as a socket; it is no longer inherited.</summary>
    public Socket TakeFirst()
    {
        int descriptor = _first;
        _first = -1;
        Syscall.fcntl(descriptor, FcntlCommand.F_SETFD, 1);
        return new Socket(new SafeSocketHandle(descriptor, ownsHandle: true));
    }

    /// <summary>Closes an end, or both.</summary>
    public void Close(bool first, bool second)
    {
        if (first)
        {
            Close(ref _first);
        }

        if (second)
        {
            Close(ref _second);
        }
    }

    /// <summary>Closes the ends that were not taken; the machines have inherited theirs.</summary>
    public void Dispose()
    {
        Close(ref _first);
        Close(ref _second);
    }

    private static void Close(ref int descriptor)
    {
        if (descriptor >= 0)
        {
            Syscall.close(descriptor);
            descriptor = -1;
        }
    }
}
