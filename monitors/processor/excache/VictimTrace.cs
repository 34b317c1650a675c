// Remembers the addresses of the last victims when the boot argument trace=on asks for it, so that a test compares them with a model's.
// They come out as statistics lines "processor.excache.victim.N HEXADDRESS-AS-NUMBER" with N counting from the first victim ever.
// One page of memory; recording costs two stores.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>A ring of victim addresses.</summary>
public unsafe struct VictimTrace
{
    private const int Capacity = PageOperations.PageSize / sizeof(ulong);

    private readonly ulong* _addresses;
    private ulong _count;

    public VictimTrace(FrameAllocator frames, bool enabled)
    {
        _addresses = enabled ? (ulong*)frames.AllocateCleared() : null;
        _count = 0;
    }

    /// <summary>Victims recorded since boot.</summary>
    public readonly ulong Count => _count;

    public void Record(ulong address)
    {
        if (_addresses == null)
        {
            return;
        }

        _addresses[_count % Capacity] = address;
        _count++;
    }

    /// <summary>Adds the remembered victims, oldest first, as many as the writer has room for.</summary>
    public readonly void Report(ref StatisticsWriter writer)
    {
        if (_addresses == null)
        {
            return;
        }

        writer.Add("processor.excache.victims"u8, _count);
        ReadOnlySpan<byte> prefix = "processor.excache.victim."u8;
        Span<byte> name = stackalloc byte[64];
        prefix.CopyTo(name);
        for (ulong number = _count > Capacity ? _count - Capacity : 0; number < _count; number++)
        {
            int digits = DecimalDigits.Write(name.Slice(prefix.Length, DecimalDigits.MaxDigits), number);
            writer.Add(name.Slice(0, prefix.Length + digits), _addresses[number % Capacity]);
        }
    }
}
