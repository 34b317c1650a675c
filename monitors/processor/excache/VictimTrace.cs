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
    private const int DigitsAtMost = 20;

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
            int digits = Decimal.Write(name.Slice(prefix.Length, DigitsAtMost), number);
            writer.Add(name.Slice(0, prefix.Length + digits), _addresses[number % Capacity]);
        }
    }
}

/// <summary>Decimal digits without a formatter.</summary>
public static class Decimal
{
    /// <summary>Writes a number at the start of a span that is long enough (20 bytes always are); gives the digits written.</summary>
    public static int Write(Span<byte> to, ulong number)
    {
        int digits = 1;
        for (ulong rest = number; rest >= 10; rest /= 10)
        {
            digits++;
        }

        for (int index = digits - 1; index >= 0; index--)
        {
            to[index] = (byte)('0' + (number % 10));
            number /= 10;
        }

        return digits;
    }
}
