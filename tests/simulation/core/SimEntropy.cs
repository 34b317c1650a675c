// Random bytes of a simulated machine: part of the seed.

using System;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Bytes from the run's generator.</summary>
internal sealed class SimEntropy(SimMachine machine) : EntropySource
{
    public override void Fill(Span<byte> bytes)
    {
        for (int index = 0; index < bytes.Length; index++)
        {
            bytes[index] = (byte)machine.Simulation.Choices.Draw();
        }
    }
}
