// Host stand-in for kernel/machine: whoever runs programs.

namespace Lego.Kernel;

/// <summary>Told what programs do.</summary>
public abstract unsafe class UserModeHandler
{
    public abstract void OnSystemCall(UserContext* user);

    public abstract void OnPageFault(UserContext* user, ulong address, PageFaultCode code);

    public abstract void OnTrap(UserContext* user, int vector, ulong errorCode);

    public abstract void OnReturn(UserContext* user);
}
