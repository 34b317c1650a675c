// The driver as a user who drains memory components while programs run, one after the other, and often lets go before the drain has ended.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using Lego.Common.Control;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Asks a rack's manager to drain.</summary>
internal sealed class Drainer(Rack rack, Choices choices)
{
    private const ulong NsPerUs = 1000;

    private readonly ushort[] _memories = [.. rack.MemoryNodes];
    private ushort _node;

    /// <summary>What the manager says of a drain.</summary>
    internal readonly record struct Answer(Errno Error, uint RunsLeft, uint Failures, Errno LastError, ulong Pages);

    /// <summary>Pages that have moved.</summary>
    internal ulong Pages { get; private set; }

    /// <summary>Longest pause between two questions.</summary>
    internal int MostPauseUs { get; set; } = 400;

    /// <summary>Waits for the ends of programs that have begun, and drains meanwhile. Their wait statuses.</summary>
    internal uint[] AwaitEnds(IReadOnlyList<ushort> sessions)
    {
        uint?[] ends = new uint?[sessions.Count];
        while (ends.Any(end => end is null))
        {
            Step();
            for (int index = 0; index < ends.Length; index++)
            {
                ends[index] ??= rack.TryAwaitEnd(sessions[index], 1);
            }
        }

        LetGo();
        return [.. ends.Select(end => end!.Value)];
    }

    /// <summary>One question, and a pause.</summary>
    internal void Step()
    {
        if (_node != 0 && choices.Next(6) == 0)
        {
            LetGo();
        }

        ushort node = _node != 0 ? _node : _memories[choices.Next(_memories.Length)];
        Answer answer = Ask(node, isDrained: true);
        Check.That(answer.Error is Errno.None or Errno.EBUSY or Errno.EAGAIN or Errno.EHOSTDOWN, $"a drain is answered {answer.Error}");
        _node = answer.Error == Errno.None ? node : (ushort)0;
        Pages = Math.Max(Pages, answer.Pages);
        Scheduler.Sleep(1 + ((ulong)choices.Next(MostPauseUs) * NsPerUs));
    }

    /// <summary>Drains a component to the end.</summary>
    internal void Drain(ushort node)
    {
        for (int tries = 0; tries < 10_000; tries++)
        {
            Answer answer = Ask(node, isDrained: true);
            if (answer is { Error: Errno.None, RunsLeft: 0 })
            {
                return;
            }

            Scheduler.Sleep(NsPerUs * NsPerUs);
        }

        throw new CheckFailed($"the drain of node {node} does not end");
    }

    internal void LetGo()
    {
        if (_node != 0)
        {
            Ask(_node, isDrained: false);
            _node = 0;
        }
    }

    private Answer Ask(ushort node, bool isDrained)
    {
        byte[] payload = new byte[2 * sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(payload, node);
        BinaryPrimitives.WriteUInt32LittleEndian(payload.AsSpan(sizeof(uint)), isDrained ? 1u : 0u);
        rack.Channel.Send(ControlFrameType.Drain, 0, payload);
        HeardFrame reply = rack.Take(frame => frame.Type == ControlFrameType.DrainReply);
        ulong pages = BinaryPrimitives.ReadUInt64LittleEndian(reply.Payload.AsSpan(4 * sizeof(uint)));
        return new Answer((Errno)reply.Number(0), reply.Number(1), reply.Number(2), (Errno)reply.Number(3), pages);
    }
}
