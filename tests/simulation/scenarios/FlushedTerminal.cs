// tcflush while another process is in the middle of a read from the terminal: what the reader gets is a part of what was typed, in order.

using System;
using System.Collections.Generic;
using System.Linq;
using Lego.Common.Control;
using Lego.Kernel;

namespace Lego.Simulation;

/// <summary>Reads and flushes of one terminal.</summary>
internal sealed class FlushedTerminal : Scenario
{
    private const int Typed = 12_000;
    private const int Flushes = 12;
    private const ulong FlushRequest = 0x540B;
    private const uint AllTerminals = 7;

    internal override string Name => "flushed-terminal";

    internal override void Drive(Rack rack, Step[][] plan, Choices choices)
    {
        ResourceCheck resources = new(rack);
        List<byte> read = [];
        rack.Simulation.Code.SetProgram(0, program =>
        {
            // Raw mode: bytes as they are.
            program.Call(16, 0, 0x5401, UserProgram.StructArea + 0x200);
            program.Store(UserProgram.StructArea + 0x200 + 12, new byte[4]);
            program.Call(16, 0, 0x5402, UserProgram.StructArea + 0x200);
            long flusher = program.Fork(child =>
            {
                for (int flush = 0; flush < Flushes; flush++)
                {
                    child.Call(16, 0, FlushRequest, 0);
                    child.Sleep((ulong)rack.Simulation.Choices.Next(300_000));
                }
            });
            // Each read is a new child's, whose pages the fork has made remote: every one of them blocks the read that fills it.
            program.Store(UserProgram.BufferArea, new byte[UserProgram.BufferBytes]);
            for (bool hasMore = true; hasMore;)
            {
                long reader = program.Fork(child =>
                {
                    long count = child.Read(0, UserProgram.BufferBytes, out byte[] bytes);
                    Check.That(count >= 0, $"read of the terminal: {count}");
                    read.AddRange(bytes);
                    hasMore = count > 0;
                });
                Check.Equal(reader, program.WaitFor(reader, out uint end), "wait4");
                Check.Equal(0u, end, "a reader's wait status");
            }

            Check.Equal(flusher, program.WaitFor(flusher, out uint status), "wait4");
            Check.Equal(0u, status, "the flusher's wait status");
        });
        ushort session = rack.StartOnTerminal(0, AllTerminals);
        rack.AwaitStart(session);
        byte[] typed = [.. Enumerable.Range(0, Typed).Select(index => (byte)(32 + (index % 90)))];
        for (int at = 0; at < Typed;)
        {
            int piece = Math.Min(1 + choices.Next(6000), Typed - at);
            rack.Channel.Send(ControlFrameType.StandardInput, session, typed[at..(at + piece)]);
            at += piece;
            Scheduler.Sleep((ulong)choices.Next(2_000_000));
        }

        rack.Channel.Send(ControlFrameType.StandardInputEnd, session);
        Check.Equal(0u, rack.AwaitEnd(session), "wait status");
        Check.That(read.TrueForAll(value => value is >= 32 and < 122), "the reader got bytes that nobody typed");
        resources.AreBack();
    }
}
