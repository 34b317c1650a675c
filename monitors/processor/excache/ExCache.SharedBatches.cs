// Pages of shared mappings go back to their objects up to 14 in a message (FlushRequest.MaxPages): when a range of them is unmapped or its
// space ends, and when the file is to have what programs have stored (msync, fsync, a call that changes the file).
//
// A batch is gathered without a wait and sent before anything else is waited for: its lines are WritingBack, and whoever holds it would
// else wait for one of them. A message that the owner has refused, in part perhaps, tells nothing of each page: then they are sent one
// by one.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

public sealed unsafe partial class ExCache
{
    /// <summary>Whole pages that hold the entries and the pages of one message.</summary>
    private const ulong BatchBufferBytes = (ulong)(FlushRequest.MaxPages + 1) * PageOperations.PageSize;

    /// <summary>The one message that is under way; others wait for it.</summary>
    private readonly BufferPool _batchBuffers;

    /// <summary>What becomes of the lines of a batch when their pages are at the owner.</summary>
    private enum AfterBatch
    {
        /// <summary>They stay where they were, clean.</summary>
        Stay,
        /// <summary>They are free.</summary>
        Go,
    }

    /// <summary>
    /// Takes a resident line that is stored into away from all: into the batch if it is newer than at its owner, else it is free at once.
    /// The batch has room. Other CPUs have forgotten it when what the caller gathers ends.
    /// </summary>
    [NoBlock]
    private void TakeStored(int index, ref FlushBatch batch)
    {
        if ((Detach(index, PageState.InFlight) & PageTable.Dirty) != 0)
        {
            BeginWriteBack(index);
            batch.Add(index);
            return;
        }

        EndMappings(index, PageState.Untouched);
        GiveBack(index);
        _drops++;
        _arrivals.WakeAll();
    }

    /// <summary>
    /// Sends the lines of a batch, which are WritingBack, and empties it. A line that could not be sent is resident again, and the first
    /// error comes back; that a file has become shorter elsewhere is none.
    /// </summary>
    [Blocks]
    private Errno EndBatch(ref FlushBatch batch, AfterBatch after)
    {
        int sent = batch.Count > 1 ? SendTogether(ref batch) : 0;
        Errno first = Errno.None;
        for (int item = 0; item < batch.Count; item++)
        {
            int index = batch.LineAt(item);
            bool isSent = ((sent >> item) & 1) != 0;
            Errno error = isSent ? Errno.None : SendBack(index);
            if (after == AfterBatch.Stay)
            {
                error = EndCleaning(index, error, isLeft: false);
            }
            else if ((error = EndWriteBack(index, error)) == Errno.None)
            {
                GiveBack(index);
                _drops++;
                _flushesBatched += isSent ? 1UL : 0;
            }

            first = first == Errno.None && !IsDisowned(error) ? error : first;
        }

        batch = default;
        _arrivals.WakeAll();
        return first;
    }

    /// <summary>
    /// One message with the first line and those that go the same way, which are all of them but where spaces of several homes or vNodes
    /// map one file. Says of each line, in a bit, whether its owner has it.
    /// </summary>
    [Blocks]
    private int SendTogether(ref FlushBatch batch)
    {
        ref Line leader = ref _lines[batch.LineAt(0)];
        ushort owner = OwnerOf(ref leader);
        RpcContext context = new() { VNode = leader.Space->VNode, Asid = leader.Space->Asid, Class = RpcClass.WriteBack };
        int together = 0;
        int count = 0;
        for (int item = 0; item < batch.Count; item++)
        {
            ref Line line = ref _lines[batch.LineAt(item)];
            if (OwnerOf(ref line) == owner && line.Space->VNode == context.VNode)
            {
                together |= 1 << item;
                count++;
            }
        }

        byte* buffer = _batchBuffers.Take();
        Span<FlushEntry> entries = new(buffer, count);
        byte* pages = buffer + (count * sizeof(FlushEntry));
        int place = 0;
        for (int item = 0; item < batch.Count; item++)
        {
            if (((together >> item) & 1) != 0)
            {
                ref Line line = ref _lines[batch.LineAt(item)];
                entries[place] = new FlushEntry { Address = line.Address, Asid = line.Space->Asid, Page = (uint)place };
                PageSpan(line.Frame).CopyTo(new Span<byte>(pages + (place * PageOperations.PageSize), PageOperations.PageSize));
                place++;
            }
        }

        FlushRequest head = new() { Count = (uint)count, Pages = (uint)count };
        ReadOnlySpan<byte> payload = new(buffer, count * (sizeof(FlushEntry) + PageOperations.PageSize));
        Errno error = _rpc.Call(owner, Opcode.Flush, in context, in head, payload, default, out _);
        _batchBuffers.GiveBack(buffer);
        return error == Errno.None ? together : 0;
    }
}
