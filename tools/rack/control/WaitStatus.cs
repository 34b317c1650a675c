// How a program ended, in the encoding of wait(2): low seven bits the signal (0 = it exited), bits 8 to 15 the exit status.

namespace Lego.Racks;

/// <summary>Reads statuses as wait(2) reports them.</summary>
internal readonly record struct WaitStatus(uint Value)
{
    private const uint SignalMask = 0x7F;

    /// <summary>The signal that ended the program, or 0.</summary>
    public int Signal => (int)(Value & SignalMask);

    /// <summary>What a shell would report in $?: the exit status, or 128 + the signal.</summary>
    public int ShellStatus => Signal != 0 ? ExitStatus.SignalBase + Signal : (int)((Value >> 8) & 0xFF);
}
