// The faults of the switch.

using System;
using System.Threading;

namespace Lego.Racks;

/// <summary>Decides, frame by frame and reproducibly, which are lost.</summary>
internal sealed class FrameLoss
{
    private readonly Lock _lock = new();
    private readonly Random _random;
    private readonly double _share;

    public FrameLoss(double percent, ulong seed)
    {
        _share = percent / 100;
        _random = new Random((int)(seed ^ (seed >> 32)));
    }

    /// <summary>True when the next frame is lost.</summary>
    public bool Takes()
    {
        if (_share == 0)
        {
            return false;
        }

        lock (_lock)
        {
            return _random.NextDouble() < _share;
        }
    }
}
