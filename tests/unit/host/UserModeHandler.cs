// Host stand-in for kernel/machine: whoever runs programs.

namespace Lego.Kernel;

/// <summary>Told what programs do.</summary>
public abstract unsafe class UserModeHandler
{
    public abstract bool OnSystemCall(Thread* current, UserContext* user);

    public abstract bool OnPageFault(Thread* current, UserContext* user, ulong address, PageFaultCode code);

    public abstract void OnTrap(Thread* current, UserContext* user, int vector, ulong errorCode);

    public abstract void OnReturn(Thread* current, UserContext* user);
}
