// Frames set aside over a wait: whoever must not fail after a message takes beforehand what he may need, and gives it back to the allocator
// in the very moment in which he allocates. Nothing blocks in between, so it is there. Never blocks.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A handful of frames, linked through themselves.</summary>
public unsafe ref struct SpareFrames
{
    private readonly FrameAllocator _frames;
    private void** _first;

    public SpareFrames(FrameAllocator frames)
    {
        _frames = frames;
        _first = null;
    }

    /// <summary>Sets frames aside. ENOMEM; then there are none.</summary>
    public Errno Take(ulong count)
    {
        for (; count != 0; count--)
        {
            void** frame = (void**)_frames.Allocate();
            if (frame == null)
            {
                GiveBack();
                return Errno.ENOMEM;
            }

            *frame = _first;
            _first = frame;
        }

        return Errno.None;
    }

    /// <summary>Gives all of them back.</summary>
    public void GiveBack()
    {
        while (_first != null)
        {
            void** frame = _first;
            _first = (void**)*frame;
            _frames.Free(frame);
        }
    }
}
