// capget, capset (capabilities(7)): what process/Capabilities.cs keeps is told and given up; inheritable ones there are none. The versions
// with one word and with two are both in use.

using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>System calls about capabilities.</summary>
public static unsafe class CapabilityCalls
{
    private const uint FirstVersion = 0x19980330;
    private const uint SecondVersion = 0x20071026;
    private const uint LatestVersion = 0x20080522;

    /// <summary>struct __user_cap_header_struct.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Header
    {
        internal uint Version;
        internal int ProcessId;
    }

    /// <summary>struct __user_cap_data_struct: 32 capabilities of each set.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Word
    {
        internal uint Effective;
        internal uint Permitted;
        internal uint Inheritable;
    }

    [SystemCall(125, "capget", Support.Full)]
    internal static long Get(ref SystemCall call)
    {
        Errno error = ReadHeader(ref call, out Header header, out int words);
        if (error != Errno.None)
        {
            return call.A1 == 0 && error == Errno.EINVAL ? 0 : SystemCall.Fail(error);
        }

        if (header.ProcessId < 0 || call.A1 == 0)
        {
            return call.A1 == 0 ? 0 : SystemCall.Fail(Errno.EINVAL);
        }

        UserThread* thread = header.ProcessId == 0 ? call.Thread : Visibility.FindThread(call.Process, (uint)header.ProcessId);
        if (thread == null)
        {
            return SystemCall.Fail(Errno.ESRCH);
        }

        ulong effective = thread->Process->EffectiveCapabilities;
        ulong permitted = thread->Process->PermittedCapabilities;
        for (int index = 0; index < words && error == Errno.None; index++)
        {
            Word word = new() { Effective = (uint)(effective >> (32 * index)), Permitted = (uint)(permitted >> (32 * index)) };
            error = new UserPointer<Word>(call.A1).WriteAt(call.Process, (ulong)index, in word);
        }

        return SystemCall.Result(error);
    }

    [SystemCall(126, "capset", Support.Partial,
        "rights go by user: what root gives up is without effect, of another user's CAP_SETUID and CAP_SETGID count; no inheritable ones")]
    internal static long Set(ref SystemCall call)
    {
        Errno error = ReadHeader(ref call, out Header header, out int words);
        if (error != Errno.None)
        {
            return SystemCall.Fail(error);
        }

        if (header.ProcessId != 0 && (uint)header.ProcessId != call.Thread->Id)
        {
            return SystemCall.Fail(Errno.EPERM);
        }

        ulong effective = 0;
        ulong permitted = 0;
        for (int index = 0; index < words && error == Errno.None; index++)
        {
            error = new UserPointer<Word>(call.A1).ReadAt(call.Process, (ulong)index, out Word word);
            effective |= (ulong)word.Effective << (32 * index);
            permitted |= (ulong)word.Permitted << (32 * index);
        }

        permitted &= Capabilities.All;
        effective &= Capabilities.All;
        bool gains = (permitted & ~call.Process->PermittedCapabilities) != 0 || (effective & ~permitted) != 0;
        if (error != Errno.None || gains)
        {
            return SystemCall.Fail(error != Errno.None ? error : Errno.EPERM);
        }

        call.Process->PermittedCapabilities = permitted;
        call.Process->EffectiveCapabilities = effective;
        return 0;
    }

    /// <summary>An unknown version is EINVAL, and the latest is told.</summary>
    private static Errno ReadHeader(ref SystemCall call, out Header header, out int words)
    {
        UserPointer<Header> pointer = new(call.A0);
        Errno error = pointer.Read(call.Process, out header);
        words = header.Version == FirstVersion ? 1 : 2;
        if (error != Errno.None || header.Version is FirstVersion or SecondVersion or LatestVersion)
        {
            return error;
        }

        header.Version = LatestVersion;
        error = pointer.Write(call.Process, in header);
        return error != Errno.None ? error : Errno.EINVAL;
    }
}
