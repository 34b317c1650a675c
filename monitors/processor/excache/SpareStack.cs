// Numbers of the ExCache's spare frames. A few dozen, because each concurrent piggybacked fill holds one only while its message is on the
// way.

using System.Runtime.CompilerServices;

namespace Lego.Processor;

/// <summary>A bounded stack of frame numbers. Zero-initialised = empty.</summary>
public struct SpareStack
{
    private const int Capacity = 32;

    private int _count;
    private Numbers _numbers;

    [InlineArray(Capacity)]
    private struct Numbers
    {
        private int _first;
    }

    /// <summary>Puts a frame back; there are never more than the capacity.</summary>
    public void Push(int frame) => _numbers[_count++] = frame;

    /// <summary>False when all are in use.</summary>
    public bool TryPop(out int frame)
    {
        if (_count == 0)
        {
            frame = 0;
            return false;
        }

        frame = _numbers[--_count];
        return true;
    }
}
