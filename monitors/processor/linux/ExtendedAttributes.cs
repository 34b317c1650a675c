// Extended attributes (xattr(7)): the volume has none, as a file system without them. They cannot be set or asked for (EOPNOTSUPP), and the
// list of a file's is empty; whether the file is there is looked at first.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>setxattr, getxattr, listxattr, removexattr and their kin.</summary>
public static unsafe class ExtendedAttributes
{
    private const string Missing = "the volume has no extended attributes: EOPNOTSUPP";
    private const string NoList = "the volume has no extended attributes: the list is empty";

    [SystemCall(188, "setxattr", Support.Partial, Missing)]
    internal static long Set(ref SystemCall call) => OfPath(ref call, LastLink.Follow, Errno.EOPNOTSUPP);

    [SystemCall(189, "lsetxattr", Support.Partial, Missing)]
    internal static long SetOfLink(ref SystemCall call) => OfPath(ref call, LastLink.Keep, Errno.EOPNOTSUPP);

    [SystemCall(190, "fsetxattr", Support.Partial, Missing)]
    internal static long SetOfDescriptor(ref SystemCall call) => OfDescriptor(ref call, Errno.EOPNOTSUPP);

    [SystemCall(191, "getxattr", Support.Partial, Missing)]
    internal static long Get(ref SystemCall call) => OfPath(ref call, LastLink.Follow, Errno.EOPNOTSUPP);

    [SystemCall(192, "lgetxattr", Support.Partial, Missing)]
    internal static long GetOfLink(ref SystemCall call) => OfPath(ref call, LastLink.Keep, Errno.EOPNOTSUPP);

    [SystemCall(193, "fgetxattr", Support.Partial, Missing)]
    internal static long GetOfDescriptor(ref SystemCall call) => OfDescriptor(ref call, Errno.EOPNOTSUPP);

    [SystemCall(194, "listxattr", Support.Partial, NoList)]
    internal static long List(ref SystemCall call) => OfPath(ref call, LastLink.Follow, Errno.None);

    [SystemCall(195, "llistxattr", Support.Partial, NoList)]
    internal static long ListOfLink(ref SystemCall call) => OfPath(ref call, LastLink.Keep, Errno.None);

    [SystemCall(196, "flistxattr", Support.Partial, NoList)]
    internal static long ListOfDescriptor(ref SystemCall call) => OfDescriptor(ref call, Errno.None);

    [SystemCall(197, "removexattr", Support.Partial, Missing)]
    internal static long Remove(ref SystemCall call) => OfPath(ref call, LastLink.Follow, Errno.EOPNOTSUPP);

    [SystemCall(198, "lremovexattr", Support.Partial, Missing)]
    internal static long RemoveOfLink(ref SystemCall call) => OfPath(ref call, LastLink.Keep, Errno.EOPNOTSUPP);

    [SystemCall(199, "fremovexattr", Support.Partial, Missing)]
    internal static long RemoveOfDescriptor(ref SystemCall call) => OfDescriptor(ref call, Errno.EOPNOTSUPP);

    private static long OfPath(ref SystemCall call, LastLink last, Errno answer)
    {
        using PathName path = PathName.FromUser(call.Process, call.A0);
        Errno error = path.Error;
        error = error != Errno.None ? error : FileStatusLookup.Find(call.Process, in path, 0, last, out _);
        return SystemCall.Result(error != Errno.None ? error : answer);
    }

    private static long OfDescriptor(ref SystemCall call, Errno answer)
    {
        using Descriptor descriptor = Descriptor.Of(call.Process, call.A0);
        // A descriptor of a name alone (O_PATH) is none for these calls.
        bool isBad = descriptor.IsBad || (descriptor.File->Flags & OpenFlags.Path) != 0;
        return SystemCall.Result(isBad ? Errno.EBADF : answer);
    }
}
