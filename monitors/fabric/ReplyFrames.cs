// Page frames for remembered replies: the component's own, and when it has none left, a reserve of a few that is taken at boot. Without it
// a component whose memory is all given away could answer nothing over a lossy link that must not be done twice, not even what gives memory
// back.

using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Frames, with a reserve.</summary>
internal sealed unsafe class ReplyFrames
{
    /// <summary>Three longest replies; or small ones of this many slots.</summary>
    private const int ReservePages = 54;

    private readonly FrameAllocator _frames;
    /// <summary>Free pages of the reserve; the first word of each points to the next.</summary>
    private void** _reserve;
    private int _missing;

    internal ReplyFrames(FrameAllocator frames) => _frames = frames;

    /// <summary>Fills the reserve; boot time, for endpoints that have a lossy link.</summary>
    internal void FillReserve()
    {
        _missing = ReservePages;
        for (int page = 0; page < ReservePages; page++)
        {
            void* frame = _frames.Allocate();
            if (frame == null)
            {
                Panic.Because("ReplyFrames: no memory at boot");
            }

            Free(frame);
        }
    }

    /// <summary>A frame; null: there is none, not even in reserve.</summary>
    internal void* Allocate()
    {
        void* frame = _frames.Allocate();
        if (frame == null && _reserve != null)
        {
            frame = _reserve;
            _reserve = (void**)*_reserve;
            _missing++;
        }

        return frame;
    }

    /// <summary>Gives a frame back, to the reserve first.</summary>
    internal void Free(void* frame)
    {
        if (_missing == 0)
        {
            _frames.Free(frame);
            return;
        }

        _missing--;
        *(void**)frame = _reserve;
        _reserve = (void**)frame;
    }
}
