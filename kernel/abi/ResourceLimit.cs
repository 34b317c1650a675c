// RLIMIT_* of x86-64 Linux (getrlimit(2), include/uapi/asm-generic/resource.h).

namespace Lego.Kernel;

/// <summary>Numbers of the resource limits.</summary>
public static class ResourceLimit
{
    public const int ProcessorTime = 0;
    public const int FileSize = 1;
    public const int Stack = 3;
    public const int Core = 4;
    public const int Processes = 6;
    public const int Files = 7;
    public const int LockedMemory = 8;
    public const int PendingSignals = 11;
    public const int MessageQueues = 12;
    public const int Nice = 13;
    public const int RealTime = 14;
}
