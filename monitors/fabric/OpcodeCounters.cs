// Requests by opcode, sent and served: one page of counters for each opcode group, 256 of each kind, all made at boot.

using System;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Counts requests.</summary>
internal sealed unsafe class OpcodeCounters
{
    private const int OpcodesPerGroup = 256;

    private readonly ulong*[] _groups = new ulong*[OpcodeNames.GroupCount];

    internal OpcodeCounters(FrameAllocator frames)
    {
        for (int group = 0; group < OpcodeNames.GroupCount; group++)
        {
            _groups[group] = (ulong*)frames.AllocateCleared();
            if (_groups[group] == null)
            {
                Panic.Because("OpcodeCounters: no memory at boot");
            }
        }
    }

    /// <summary>One request of this component to another.</summary>
    internal void CountRequest(Opcode opcode)
    {
        uint group = (uint)opcode / OpcodesPerGroup;
        if (group < OpcodeNames.GroupCount)
        {
            _groups[group][(uint)opcode % OpcodesPerGroup]++;
        }
    }

    /// <summary>One request of another component that was handed to a service.</summary>
    internal void CountServed(Opcode opcode)
    {
        uint group = (uint)opcode / OpcodesPerGroup;
        if (group < OpcodeNames.GroupCount)
        {
            _groups[group][OpcodesPerGroup + ((uint)opcode % OpcodesPerGroup)]++;
        }
    }

    internal ulong RequestsOf(Opcode opcode) => _groups[(int)opcode / OpcodesPerGroup][(int)opcode % OpcodesPerGroup];

    internal ulong ServedOf(Opcode opcode) => _groups[(int)opcode / OpcodesPerGroup][OpcodesPerGroup + ((int)opcode % OpcodesPerGroup)];

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
                ulong count = _groups[group][offset + index];
                if (count != 0 && name.Length != 0)
                {
                    writer.Add(prefix, name, count);
                }
            }
        }
    }
}
