// How much of the component's own memory pipes may come to hold: what a pipe can hold is set aside when it is made, so that whoever makes
// many, or lets them fill, takes no frame that page tables and messages of others need. A quarter of the memory is for pipes of the usual
// size; then they are small, as Linux's are beyond pipe-user-pages-soft (pipe(7)), up to another quarter, where Linux has
// pipe-user-pages-hard. For all users together: the frames are everybody's. Never blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>An account of bytes, of a component that has so many frames left for everything.</summary>
public sealed class PipeMemory(ulong freePages)
{
    /// <summary>The smallest pipe in which a write of PIPE_BUF bytes finds room wherever it begins.</summary>
    public const int SmallPipeBytes = 2 * PageOperations.PageSize;

    private const ulong Share = 4;

    private readonly ulong _shareBytes = freePages / Share * PageOperations.PageSize;
    private ulong _takenBytes;

    /// <summary>Sets room for a new pipe aside; what it may hold, or 0 when there is none.</summary>
    public int Take()
    {
        int capacityBytes = _takenBytes + ByteRing.CapacityBytes <= _shareBytes ? ByteRing.CapacityBytes
            : _takenBytes + SmallPipeBytes <= 2 * _shareBytes ? SmallPipeBytes : 0;
        _takenBytes += (ulong)capacityBytes;
        return capacityBytes;
    }

    /// <summary>Sets room aside for a pipe that is to hold so many bytes more. False: there is none.</summary>
    public bool TryTakeMore(int bytes)
    {
        if (_takenBytes + (ulong)bytes > _shareBytes)
        {
            return false;
        }

        _takenBytes += (ulong)bytes;
        return true;
    }

    /// <summary>A pipe that could hold so much is gone.</summary>
    public void Return(int capacityBytes) => _takenBytes -= (ulong)capacityBytes;
}
