// Sockets (socket(7)): there is no network and no address family, so none can be made, and every descriptor that one is asked of is
// something else. Programs that try for one get Linux's answers for that.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>socket, connect and the rest of the family.</summary>
public static unsafe class SocketCalls
{
    private const string NoFamily = "there are no address families: EAFNOSUPPORT";
    private const string NoSocket = "no descriptor is a socket: ENOTSOCK";

    [SystemCall(41, "socket", Support.Stub, NoFamily)]
    [SystemCall(53, "socketpair", Support.Stub, NoFamily)]
    internal static long Make(ref SystemCall call) => SystemCall.Fail(Errno.EAFNOSUPPORT);

    [SystemCall(42, "connect", Support.Stub, NoSocket)]
    [SystemCall(43, "accept", Support.Stub, NoSocket)]
    [SystemCall(44, "sendto", Support.Stub, NoSocket)]
    [SystemCall(45, "recvfrom", Support.Stub, NoSocket)]
    [SystemCall(46, "sendmsg", Support.Stub, NoSocket)]
    [SystemCall(47, "recvmsg", Support.Stub, NoSocket)]
    [SystemCall(48, "shutdown", Support.Stub, NoSocket)]
    [SystemCall(49, "bind", Support.Stub, NoSocket)]
    [SystemCall(50, "listen", Support.Stub, NoSocket)]
    [SystemCall(51, "getsockname", Support.Stub, NoSocket)]
    [SystemCall(52, "getpeername", Support.Stub, NoSocket)]
    [SystemCall(54, "setsockopt", Support.Stub, NoSocket)]
    [SystemCall(55, "getsockopt", Support.Stub, NoSocket)]
    [SystemCall(288, "accept4", Support.Stub, NoSocket)]
    [SystemCall(299, "recvmmsg", Support.Stub, NoSocket)]
    [SystemCall(307, "sendmmsg", Support.Stub, NoSocket)]
    internal static long Use(ref SystemCall call)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        bool isBad = descriptor.IsBad || (descriptor.File->Flags & OpenFlags.Path) != 0;
        return SystemCall.Fail(isBad ? Errno.EBADF : Errno.ENOTSOCK);
    }
}
