// What a rack's administrator does from outside and no program may: mounting, swapping, restarting, accounting (mount(2), swapon(2),
// reboot(2), acct(2)). The calls refuse as Linux refuses whoever has no right to them, root as well. BLOCKS for look-ups.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls that are refused.</summary>
public static unsafe class AdministrationCalls
{
    private const string Refused = "EPERM, for root as well: a rack is administered from outside";

    [SystemCall(165, "mount", Support.Stub, Refused)]
    internal static long Mount(ref SystemCall call) => SystemCall.Fail(Find(ref call, call.A1));

    [SystemCall(166, "umount2", Support.Stub, Refused)]
    internal static long Unmount(ref SystemCall call)
    {
        const ulong KnownFlags = 0xF;
        return SystemCall.Fail((call.A1 & ~KnownFlags) != 0 ? Errno.EINVAL : Find(ref call, call.A0));
    }

    [SystemCall(155, "pivot_root", Support.Stub, Refused)]
    internal static long PivotRoot(ref SystemCall call) => SystemCall.Fail(Errno.EPERM);

    [SystemCall(163, "acct", Support.Stub, Refused)]
    internal static long Account(ref SystemCall call) => SystemCall.Fail(Errno.EPERM);

    [SystemCall(167, "swapon", Support.Stub, Refused)]
    internal static long SwapOn(ref SystemCall call) => SystemCall.Fail(Errno.EPERM);

    [SystemCall(168, "swapoff", Support.Stub, Refused)]
    internal static long SwapOff(ref SystemCall call) => SystemCall.Fail(Errno.EPERM);

    [SystemCall(169, "reboot", Support.Stub, Refused)]
    internal static long Reboot(ref SystemCall call) => SystemCall.Fail(Errno.EPERM);

    /// <summary>What is to be mounted on, or no more: who names nothing hears that first.</summary>
    private static Errno Find(ref SystemCall call, ulong address)
    {
        using PathName path = PathName.FromUser(call.Process, unchecked((ulong)PathName.CurrentDirectory), address);
        Errno error = path.Error != Errno.None
            ? path.Error
            : FileStatusLookup.Find(call.Process, in path, 0, LastLink.Follow, out _);
        return error != Errno.None ? error : Errno.EPERM;
    }
}
