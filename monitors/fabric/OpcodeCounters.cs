// Requests by opcode, sent and served: one page of counters for each opcode group, 256 of each kind, all made at boot.

using System;
using System.Runtime.CompilerServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Counts requests.</summary>
internal sealed unsafe class OpcodeCounters
{
    private const int OpcodesPerGroup = 256;
    private const int CountersPerGroup = 2 * OpcodesPerGroup;
    private const int CounterCount = OpcodeNames.GroupCount * CountersPerGroup;

    private readonly ulong* _counters;

    internal OpcodeCounters(FrameAllocator frames)
    {
        ulong pages = CounterCount * sizeof(ulong) / PageOperations.PageSize;
        _counters = (ulong*)frames.AllocateContiguous(pages);
        if (_counters == null)
        {
            Panic.Because("OpcodeCounters: no memory at boot");
        }

        new Span<ulong>(_counters, CounterCount).Clear();
    }

    /// <summary>One request of this component to another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void CountRequest(Opcode opcode)
    {
        uint index = IndexOf(opcode);
        if (index < CounterCount)
        {
            _counters[index]++;
        }
    }

    /// <summary>One request of another component that was handed to a service.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal void CountServed(Opcode opcode)
    {
        uint index = IndexOf(opcode);
        if (index < CounterCount)
        {
            _counters[index + OpcodesPerGroup]++;
        }
    }

    internal ulong RequestsOf(Opcode opcode) => _counters[IndexOf(opcode)];

    internal ulong ServedOf(Opcode opcode) => _counters[IndexOf(opcode) + OpcodesPerGroup];

    /// <summary>Writes the counters that are not 0.</summary>
    internal void Report(ref StatisticsWriter writer)
    {
        Report(ref writer, "fabric.requests."u8, 0);
        Report(ref writer, "fabric.served."u8, OpcodesPerGroup);
    }

    private void Report(ref StatisticsWriter writer, ReadOnlySpan<byte> prefix, int offset)
    {
        for (int group = 0; group < OpcodeNames.GroupCount; group++)
        {
            for (int index = 0; index < OpcodesPerGroup; index++)
            {
                ReadOnlySpan<byte> name = OpcodeNames.Of((Opcode)((group * OpcodesPerGroup) + index));
                ulong count = _counters[(group * CountersPerGroup) + offset + index];
                if (count != 0 && name.Length != 0)
                {
                    writer.Add(prefix, name, count);
                }
            }
        }
    }

    /// <summary>The counter of requests; that of served ones lies OpcodesPerGroup behind it.</summary>
    private static uint IndexOf(Opcode opcode) => (((uint)opcode & 0xFF00) << 1) | ((uint)opcode & 0xFF);
}
