// The account of all frames that sockets hold: a bound that they never pass together, and a lower mark from which on they are under
// pressure, as Linux's tcp_mem has them (tcp(7)): windows stop growing, what arrived out of order is dropped, and new buffers stay small.

namespace Lego.Kernel;

/// <summary>Gives frames to sockets' buffers, up to a limit.</summary>
public sealed unsafe class NetworkMemory
{
    private readonly FrameAllocator _frames;
    private readonly ulong _limitPages;
    private readonly ulong _pressurePages;

    /// <summary>At most <paramref name="limitPages"/> frames; from three quarters of them on there is pressure.</summary>
    public NetworkMemory(FrameAllocator frames, ulong limitPages)
    {
        _frames = frames;
        _limitPages = limitPages;
        _pressurePages = limitPages / 4 * 3;
    }

    /// <summary>Frames that sockets hold.</summary>
    public ulong PagesInUse { get; private set; }

    /// <summary>The bound.</summary>
    public ulong LimitPages => _limitPages;

    /// <summary>Allocations that the bound or the machine's memory refused.</summary>
    public ulong Refused { get; private set; }

    /// <summary>Buffers should not grow now.</summary>
    public bool IsUnderPressure => PagesInUse >= _pressurePages;

    /// <summary>
    /// Whether a send buffer may take frames: not under pressure, and one that is empty not from seven eighths of the bound on. What is
    /// left is for receivers: if all frames held what is to be sent, nobody here could take it, and none would ever come back.
    /// </summary>
    public bool MaySend(bool isEmpty) => PagesInUse < (isEmpty ? _limitPages - (_limitPages / 8) : _pressurePages);

    /// <summary>A frame with arbitrary contents, or null.</summary>
    [NoBlock]
    [NoAllocation]
    public void* Allocate()
    {
        void* frame = PagesInUse < _limitPages ? _frames.Allocate() : null;
        if (frame == null)
        {
            Refused++;
            return null;
        }

        PagesInUse++;
        return frame;
    }

    /// <summary>Takes a frame back.</summary>
    [NoBlock]
    [NoAllocation]
    public void Free(void* frame)
    {
        PagesInUse--;
        _frames.Free(frame);
    }
}
