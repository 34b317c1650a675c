// Simulation stand-in for kernel/threads' Poller: the sources of the machine whose code runs. What has arrived is seen only here, as on the
// real machine; the scheduler calls it for machines that idle.

namespace Lego.Kernel;

/// <summary>Something that makes progress when it is polled.</summary>
public abstract class PollSource
{
    public abstract bool Poll();

    public virtual void ArmWakeup()
    {
    }

    public virtual void DisarmWakeup()
    {
    }
}

/// <summary>All sources of this machine.</summary>
public static class Poller
{
    public static void Register(PollSource source) => Simulation.Simulation.Machine.Sources.Add(source);

    /// <summary>Arming changes nothing: an event that makes news is seen by the scheduler.</summary>
    public static bool IsArmed => false;

    public static void Suspend()
    {
    }

    public static bool Resume() => false;

    public static bool PollAll()
    {
        Simulation.SimMachine machine = Simulation.Simulation.Machine;
        machine.HasNews = false;
        bool worked = false;
        foreach (PollSource source in machine.Sources)
        {
            worked |= source.Poll();
        }

        // A source takes a bounded number of messages in one go.
        machine.HasNews |= worked;
        machine.Notified |= worked;
        return worked;
    }
}
