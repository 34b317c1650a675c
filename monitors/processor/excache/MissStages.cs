// Time of each stage of a miss, in ticks of the time stamp counter, added up when the boot argument stages=on asks for it (features row
// D02). `bench fetch` prints the averages; the counter's frequency is in the machine's own statistics. Off, it costs one predictable branch
// a stage.

using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Sums of stage times.</summary>
public struct MissStages
{
    private readonly bool _enabled;
    private ulong _last;
    private ulong _samples;
    private ulong _lookup;
    private ulong _victim;
    private ulong _fetch;
    private ulong _map;

    public MissStages(bool enabled)
    {
        this = default;
        _enabled = enabled;
    }

    /// <summary>The fault has reached the ExCache.</summary>
    public void Begin()
    {
        if (_enabled)
        {
            _last = Cpu.Timestamp();
        }
    }

    /// <summary>Page table and ranges have been looked at: this is a miss.</summary>
    public void LookedUp() => Take(ref _lookup);

    /// <summary>There is a frame to fetch into.</summary>
    public void VictimChosen() => Take(ref _victim);

    /// <summary>The page has arrived: request, the owner's work, reply.</summary>
    public void Fetched() => Take(ref _fetch);

    /// <summary>The page is mapped.</summary>
    public void Mapped()
    {
        Take(ref _map);
        if (_enabled)
        {
            _samples++;
        }
    }

    public readonly void Report(ref StatisticsWriter writer)
    {
        if (!_enabled)
        {
            return;
        }

        writer.Add("processor.excache.stage.samples"u8, _samples);
        writer.Add("processor.excache.stage.lookup_ticks"u8, _lookup);
        writer.Add("processor.excache.stage.victim_ticks"u8, _victim);
        writer.Add("processor.excache.stage.fetch_ticks"u8, _fetch);
        writer.Add("processor.excache.stage.map_ticks"u8, _map);
    }

    private void Take(ref ulong sum)
    {
        if (_enabled)
        {
            ulong now = Cpu.Timestamp();
            sum += now - _last;
            _last = now;
        }
    }
}
