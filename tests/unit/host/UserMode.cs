// Host stand-in for kernel/machine: transitions to user mode and its hooks.

using System;

namespace Lego.Kernel;

/// <summary>No program runs on the host.</summary>
public static unsafe class UserMode
{
    /// <summary>The handler of this test's thread.</summary>
    [ThreadStatic]
    private static UserModeHandler? s_handler;

    public static UserModeHandler Handler { get => s_handler!; set => s_handler = value; }

    public static UserContext* ContextOf(Thread* thread) => null;

    public static void Enter(UserContext* context) => throw new NotSupportedException("UserMode.Enter on the host");

    public static void SetFsBase(ulong address)
    {
    }
}
