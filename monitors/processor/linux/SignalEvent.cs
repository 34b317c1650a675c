// struct sigevent (sigevent(3type)): how a program wants to hear of something that happens later.

using System.Runtime.InteropServices;

namespace Lego.Processor;

/// <summary>The used part of its 64 bytes.</summary>
[StructLayout(LayoutKind.Sequential, Size = 64)]
internal struct SignalEvent
{
    /// <summary>SIGEV_SIGNAL.</summary>
    internal const int BySignal = 0;
    /// <summary>SIGEV_NONE.</summary>
    internal const int NotAtAll = 1;
    /// <summary>
    /// SIGEV_THREAD: the C library starts one; of a message queue it hears by a socket, whose descriptor is the signal's number.
    /// </summary>
    internal const int ByThread = 2;
    /// <summary>SIGEV_THREAD_ID, with SIGEV_SIGNAL: the signal is for one thread.</summary>
    internal const int ToThread = 4;

    internal ulong Value;
    internal int Signal;
    internal int Notify;
    internal uint ThreadId;
}
