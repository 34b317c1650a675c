// Host stand-in for kernel/machine: transitions to user mode and its hooks.

using System;

namespace Lego.Kernel;

/// <summary>No program runs on the host.</summary>
public static unsafe class UserMode
{
    public static delegate*<UserContext*, void> SystemCallHandler;
    public static delegate*<UserContext*, ulong, PageFaultCode, void> PageFaultHandler;
    public static delegate*<UserContext*, int, ulong, void> TrapHandler;
    public static delegate*<UserContext*, void> ReturnHook;

    public static UserContext* ContextOf(Thread* thread) => null;

    public static void Enter(UserContext* context) => throw new NotSupportedException("UserMode.Enter on the host");

    public static void SetFsBase(ulong address)
    {
    }
}
