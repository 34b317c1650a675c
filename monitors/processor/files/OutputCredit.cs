// How much one output stream of a session may send before the user's side has written some of it (docs/protocol.md, group 5). Writers wait
// here, without a buffer and without a lock, so a reader that pauses holds up those who write to it and nobody else; a signal ends the
// wait.
//
// Invariant: Left + what is on its way = StreamRequest.OutputWindowBytes, in bytes of control frames with their headers.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Credit of one stream.</summary>
public struct OutputCredit
{
    /// <summary>A write up to this size goes out in one piece, as into a pipe (PIPE_BUF, pipe(7)).</summary>
    private const int AtomicBytes = 4096;

    private WaitQueue _returned;

    /// <summary>Frame bytes that may be sent now.</summary>
    public int Left { get; private set; }

    /// <summary>What writes give because the user's side has closed the stream; None while it is open.</summary>
    public Errno Status { get; private set; }

    /// <summary>True when a write would not wait.</summary>
    public readonly bool HasRoom => Status != Errno.None || Left >= AtomicBytes + StreamRequest.FrameBytes;

    /// <summary>A stream that nothing has been sent on.</summary>
    public void Open()
    {
        Left = StreamRequest.OutputWindowBytes;
        Status = Errno.None;
    }

    /// <summary>
    /// Takes credit for up to <paramref name="wantedBytes"/>, at least for an atomic write, and waits for it when it may. EAGAIN, EINTR (a
    /// signal came), or Status.
    /// </summary>
    [Blocks]
    public Errno Take(ulong wantedBytes, bool mayWait, out int grantedBytes)
    {
        int least = (int)Math.Min(wantedBytes, AtomicBytes) + StreamRequest.FrameBytes;
        grantedBytes = 0;
        while (Status == Errno.None && Left < least)
        {
            Errno error = mayWait ? Signals.Wait(ref _returned) : Errno.EAGAIN;
            if (error != Errno.None)
            {
                return error;
            }
        }

        if (Status != Errno.None)
        {
            return Status;
        }

        int most = Math.Min(Left - StreamRequest.FrameBytes, StreamRequest.MaxBytes);
        grantedBytes = (int)Math.Min(wantedBytes, (ulong)most);
        Left -= grantedBytes + StreamRequest.FrameBytes;
        return Errno.None;
    }

    /// <summary>Credit comes back: written by the user's side, or taken and not used.</summary>
    public void Return(uint frameBytes)
    {
        Left = (int)Math.Min((uint)Left + frameBytes, StreamRequest.OutputWindowBytes);
        _returned.WakeAll();
    }

    /// <summary>From now on writes fail.</summary>
    public void Close(Errno status)
    {
        Status = status;
        _returned.WakeAll();
    }
}
