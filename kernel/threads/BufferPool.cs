// Large buffers made at boot, because nothing of their size fits on a kernel stack or can be counted on later. Who takes one gives it back
// before he waits for anything that a program or a person can delay, so taking one may wait, but not for ever.

namespace Lego.Kernel;

/// <summary>A fixed number of equal buffers of whole pages.</summary>
public sealed unsafe class BufferPool
{
    /// <summary>Free buffers, linked through their first words.</summary>
    private void* _first;
    private WaitQueue _returned;

    /// <summary>Takes the memory; boot time.</summary>
    public BufferPool(FrameAllocator frames, int count, ulong bufferBytes)
    {
        for (int index = 0; index < count; index++)
        {
            void* buffer = frames.AllocateContiguous(bufferBytes / PageOperations.PageSize);
            if (buffer == null)
            {
                Panic.Because("BufferPool: no memory at boot");
            }

            Add(buffer);
        }
    }

    /// <summary>A buffer of one's own until <see cref="GiveBack"/>. BLOCKS while all are in use.</summary>
    public byte* Take()
    {
        while (_first == null)
        {
            _returned.Wait();
        }

        void* buffer = _first;
        _first = *(void**)buffer;
        return (byte*)buffer;
    }

    /// <summary>Gives a buffer to whoever has waited longest.</summary>
    public void GiveBack(byte* buffer)
    {
        Add(buffer);
        _returned.WakeOne();
    }

    private void Add(void* buffer)
    {
        *(void**)buffer = _first;
        _first = buffer;
    }
}
