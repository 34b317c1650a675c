// The end of a process that the rack, not the program, is to blame for: no memory at a memory component, or a component that does not
// answer. One log line, one sentence on the program's standard error, SIGKILL's wait status. BLOCKS (the sentence is a message to the
// manager).

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Deaths with a sentence.</summary>
public static unsafe class Deaths
{
    private const int MaxSentence = 200;

    /// <summary>Ends a process because a line could not be filled or written back.</summary>
    public static void Kill(Process* process, FaultOutcome reason, ushort component)
    {
        ReadOnlySpan<byte> why = reason switch
        {
            FaultOutcome.OutOfMemory => " has no memory left"u8,
            FaultOutcome.OutOfKernelMemory => " has no memory left for page tables"u8,
            _ => " does not answer"u8,
        };
        if (reason == FaultOutcome.OutOfMemory && process->Table.VNodes.IsFull(process->VNode))
        {
            Kill(process, "vNode "u8, process->VNode, " has all the memory that it may have"u8);
            return;
        }

        bool atHome = reason == FaultOutcome.OutOfKernelMemory;
        Kill(process, atHome ? "processor component "u8 : "memory component "u8, atHome ? process->Table.Node : component, why);
    }

    /// <summary>Ends a process with the sentence "process ID (NAME) killed: WHAT NODE WHY".</summary>
    public static void Kill(Process* process, ReadOnlySpan<byte> what, ushort node, ReadOnlySpan<byte> why)
    {
        if (process->FirstThread == null || process->IsEnding)
        {
            return;
        }

        Signals.Doom(process, WaitStatus.Killed(Signal.Kill));
        Span<byte> text = stackalloc byte[MaxSentence];
        int length = 0;
        Append(text, ref length, "lego: process "u8);
        length += DecimalDigits.Write(text.Slice(length), process->Id);
        Append(text, ref length, " ("u8);
        ReadOnlySpan<byte> name = process->Name;
        int end = name.IndexOf((byte)0);
        Append(text, ref length, end < 0 ? name : name.Slice(0, end));
        Append(text, ref length, ") killed: "u8);
        Append(text, ref length, what);
        length += DecimalDigits.Write(text.Slice(length), node);
        Append(text, ref length, why);
        Log.Error($"{text.Slice(0, length)}");
        Append(text, ref length, "\n"u8);
        StreamRequest head = new() { Session = process->TerminalSession, Stream = StreamRequest.Sentence };
        RpcContext context = new() { Class = RpcClass.Stream };
        Processes table = process->Table;
        table.Rpc.Call(table.Manager, Opcode.StandardOutput, in context, in head, text.Slice(0, length), default, out _);
    }

    private static void Append(Span<byte> text, ref int length, ReadOnlySpan<byte> part)
    {
        part.CopyTo(text.Slice(length));
        length += part.Length;
    }
}
