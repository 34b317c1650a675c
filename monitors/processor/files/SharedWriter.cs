// What programs store into shared mappings of files goes to the memory component, and from there to the volume, although nobody asks: as
// often as Linux's writers wake up (dirty_writeback_centisecs), while a file of the volume is mapped so that it can be stored into. msync,
// fsync and munmap do not wait for that (FileMappings.cs). A page that cannot be written back stays dirty, so the next of those tells why.
// BLOCKS.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Writes shared pages back from time to time.</summary>
public sealed unsafe class SharedWriter(FileSystem files) : ThreadBody
{
    private const ulong IntervalNs = 5_000_000_000;

    private readonly FileSystem _files = files;
    private WaitQueue _mapped;
    private bool _isMapped;

    /// <summary>Boot time. Panics without memory.</summary>
    public void Start()
    {
        if (Scheduler.Spawn(this, null, "shared pages"u8) == null)
        {
            Panic.Because("SharedWriter.Start: no memory for the thread");
        }
    }

    /// <summary>A file is about to be mapped for stores that others see. Never blocks.</summary>
    public void Begin()
    {
        _isMapped = true;
        _mapped.WakeAll();
    }

    public override void Run(void* argument)
    {
        while (true)
        {
            while (!_isMapped)
            {
                _mapped.Wait();
            }

            Scheduler.Sleep(IntervalNs);
            _isMapped = _files.Mappings.WriteBackShared();
        }
    }
}
