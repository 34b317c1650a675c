// What goes with the bytes of AF_UNIX messages (unix(7), "Ancillary messages"): open files and identities.

using System;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class UnixSockets
{
    /// <summary>Linux's overflow user: whoever has not been told.</summary>
    private const uint NobodyId = 65534;

    /// <summary>What the control messages of a sendmsg ask for; the files are the caller's until a message takes them.</summary>
    private struct Attachment
    {
        internal PassedFiles* Files;
        internal bool HasIdentity;
        internal PeerIdentity Identity;
    }

    /// <summary>Reads the control messages of a sendmsg. EINVAL, EBADF, EPERM, ETOOMANYREFS, EFAULT. BLOCKS.</summary>
    private Errno TakeControl(Process* process, ref SocketMessage message, out Attachment attached)
    {
        attached = default;
        int count = 0;
        Errno error = Errno.None;
        while (error == Errno.None && message.Control.TryTake(out ControlHeader header, out UserBuffer data, out error))
        {
            if (header.Level != OptionLevel.Socket)
            {
                continue;
            }

            error = header.Type switch
            {
                ControlMessages.Rights => TakeFiles(process, in data, ref count, ref attached),
                ControlMessages.Credentials => TakeIdentity(process, in data, ref attached),
                _ => Errno.EINVAL,
            };
        }

        return error;
    }

    private Errno TakeFiles(Process* process, in UserBuffer data, ref int count, ref Attachment attached)
    {
        ulong more = data.LengthBytes / sizeof(int);
        if (more > (ulong)(PassedFiles.MostOfMessage - count))
        {
            return Errno.EINVAL;
        }

        Errno error = Errno.None;
        for (ulong index = 0; index < more && error == Errno.None; index++)
        {
            int number = 0;
            error = data.CopyIn(process, index * sizeof(int), MemoryMarshal.AsBytes(new Span<int>(ref number)));
            if (error == Errno.None)
            {
                using Descriptor descriptor = Descriptor.Of(process, (uint)number);
                error = descriptor.IsBad ? Errno.EBADF
                    : InFlight.Add(process, ref attached.Files, descriptor.File);
                count++;
            }
        }

        return error;
    }

    /// <summary>A process may say what it is, and root anything.</summary>
    private static Errno TakeIdentity(Process* process, in UserBuffer data, ref Attachment attached)
    {
        PeerIdentity said = default;
        Errno error = data.LengthBytes != (ulong)sizeof(PeerIdentity) ? Errno.EINVAL
            : data.CopyIn(process, 0, MemoryMarshal.AsBytes(new Span<PeerIdentity>(ref said)));
        if (error != Errno.None)
        {
            return error;
        }

        bool isRoot = process->EffectiveUserId == 0;
        bool isUser = said.UserId == process->UserId || said.UserId == process->EffectiveUserId || said.UserId == process->SavedUserId;
        bool isGroup = said.GroupId == process->GroupId || said.GroupId == process->EffectiveGroupId
            || said.GroupId == process->SavedGroupId;
        if (!isRoot && (said.ProcessId != process->Id || !isUser || !isGroup))
        {
            return Errno.EPERM;
        }

        if (Visibility.FindProcess(process, said.ProcessId) == null)
        {
            return Errno.ESRCH;
        }

        attached.HasIdentity = true;
        attached.Identity = said;
        return Errno.None;
    }

    /// <summary>SO_PASSCRED: the receiver is told who sent.</summary>
    private static void TellIdentity(Socket* socket, in PeerIdentity identity, bool isKnown, ref SocketMessage message)
    {
        if ((socket->Flags & SocketFlags.PassCredentials) == 0)
        {
            return;
        }

        PeerIdentity told = isKnown ? identity : new PeerIdentity { UserId = NobodyId, GroupId = NobodyId };
        bool isWhole = message.Control.Put(
            OptionLevel.Socket, ControlMessages.Credentials, MemoryMarshal.AsBytes(new ReadOnlySpan<PeerIdentity>(in told)));
        message.Received |= isWhole ? MessageFlags.None : MessageFlags.ControlTruncated;
    }

    /// <summary>
    /// Gives the receiver descriptors for as many files as fit, and lets the others go (scm_detach_fds). BLOCKS.
    /// </summary>
    private void Install(Process* process, PassedFiles* passed, ref SocketMessage message)
    {
        if (passed == null)
        {
            return;
        }

        Span<int> numbers = stackalloc int[PassedFiles.MostOfMessage];
        int room = Math.Min(message.Control.RoomFor(sizeof(int)), numbers.Length);
        bool closeOnExec = message.Has(MessageFlags.ControlCloseOnExec);
        int count = 0;
        int given = 0;
        bool isFull = false;
        for (PassedFiles* some = passed; some != null; some = some->Next)
        {
            for (int index = 0; index < some->Count; index++)
            {
                count++;
                if (isFull || given >= room)
                {
                    continue;
                }

                OpenFile* file = (*some)[index];
                file->References++;
                Errno error = FileTable.Of(process)->Install(file, closeOnExec, 0, process->Limits[2 * ResourceLimit.Files],
                    out int number);
                isFull = error != Errno.None;
                if (isFull)
                {
                    OpenFile.Release(file);
                }
                else
                {
                    numbers[given++] = number;
                }
            }
        }

        if (given != 0)
        {
            message.Control.Put(OptionLevel.Socket, ControlMessages.Rights,
                MemoryMarshal.AsBytes((ReadOnlySpan<int>)numbers.Slice(0, given)));
        }

        message.Received |= given < count ? MessageFlags.ControlTruncated : MessageFlags.None;
        InFlight.Drop(passed);
    }
}
