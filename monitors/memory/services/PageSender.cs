// Pages that go from one memory component to another, up to 14 in a message (FlushRequest.MaxPages): copies of what a program moves
// (mremap), and pieces of vRegions that get another owner. A message is put together in a buffer, because the pages of a range have frames
// anywhere; nothing is waited for between the look at the space and the last copy, so each message shows one moment.

using System;
using System.Runtime.CompilerServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Sends pages of spaces and parts. Everything blocks.</summary>
internal sealed unsafe class PageSender
{
    private const int Senders = 2;
    private const ulong PageBytes = PageOperations.PageSize;
    private const ulong BlockBytes = PageBytes << PageBlock.PagesShift;

    /// <summary>The pages of a message, and one page for their entries.</summary>
    private const ulong BufferBytes = (FlushRequest.MaxPages + 1) * PageBytes;

    private readonly RpcEndpoint _rpc;
    private readonly AddressSpaces _spaces;
    private readonly FrameMap _frames;
    private readonly BufferPool _buffers;
    private ulong _copies;
    private ulong _messages;

    internal PageSender(RpcEndpoint rpc, FrameAllocator kernelFrames, AddressSpaces spaces, FrameMap frames)
    {
        _rpc = rpc;
        _spaces = spaces;
        _frames = frames;
        _buffers = new BufferPool(kernelFrames, Senders, BufferBytes);
    }

    /// <summary>The addresses of a message's pages.</summary>
    [InlineArray(FlushRequest.MaxPages)]
    private struct Addresses
    {
        private ulong _first;
    }

    /// <summary>Copies own pages to where another component has the range. ESRCH: the space has ended; what the target says.</summary>
    [Blocks]
    internal Errno SendCopies(in SpaceName name, in CopyPagesRequest piece)
    {
        byte* buffer = _buffers.Take();
        Errno error = Errno.None;
        ulong end = piece.From + piece.Length;
        for (ulong from = piece.From; error == Errno.None && from < end;)
        {
            AddressSpace* space = _spaces.Find(in name);
            if (space == null)
            {
                error = Errno.ESRCH;
                break;
            }

            // Pages first, whose number says how long the entries before them are.
            byte* pages = buffer + PageBytes;
            int count = Gather(space, ref from, end, pages, out Addresses addresses);
            if (count == 0)
            {
                break;
            }

            FlushEntry* entries = (FlushEntry*)pages - count;
            for (int index = 0; index < count; index++)
            {
                ulong to = piece.To + (addresses[index] - piece.From);
                entries[index] = new FlushEntry { Address = to, Asid = name.Asid, Page = (uint)index };
            }

            FlushRequest head = new() { Count = (uint)count, Pages = (uint)count };
            ReadOnlySpan<byte> payload = new(entries, count * (sizeof(FlushEntry) + PageOperations.PageSize));
            error = _rpc.Call(piece.Target, Opcode.Flush, ContextOf(in name), in head, payload, default, out _);
            _messages++;
            _copies += error == Errno.None ? (uint)count : 0;
        }

        _buffers.GiveBack(buffer);
        return error;
    }

    /// <summary>
    /// Sends all pages of a frozen piece, which lies in one block, to the component that expects them, and says how many. ESRCH, ESTALE:
    /// the part has ended, or a later phase of its moves has begun; what the target says.
    /// </summary>
    [Blocks]
    internal Errno SendFrozen(in SpaceName name, ulong start, ulong end, ushort target, uint step, out uint pages)
    {
        pages = 0;
        byte* buffer = _buffers.Take();
        Errno error = Errno.None;
        for (ulong address = start; error == Errno.None && address < end;)
        {
            AddressSpace* part = _spaces.Find(in name);
            if (part == null || part->Moves != step)
            {
                error = part == null ? Errno.ESRCH : Errno.ESTALE;
                break;
            }

            int count = Gather(part, ref address, end, buffer, out Addresses addresses);
            if (count == 0)
            {
                break;
            }

            PutPagesRequest head = new() { Block = addresses[0] & ~(BlockBytes - 1), Step = step };
            for (int index = 0; index < count; index++)
            {
                head.Pages |= 1UL << (int)((addresses[index] - head.Block) / PageBytes);
            }

            ReadOnlySpan<byte> payload = new(buffer, count * PageOperations.PageSize);
            error = _rpc.Call(target, Opcode.PutPages, ContextOf(in name), in head, payload, default, out _);
            _messages++;
            pages += error == Errno.None ? (uint)count : 0;
        }

        _buffers.GiveBack(buffer);
        return error;
    }

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.pages_sent"u8, _copies);
        writer.Add("memory.page_messages"u8, _messages);
    }

    /// <summary>
    /// Copies the next pages that have frames, as many as a message takes; says where each lies, and goes on behind the last one.
    /// </summary>
    [NoBlock]
    private int Gather(AddressSpace* space, ref ulong address, ulong end, byte* pages, out Addresses addresses)
    {
        addresses = default;
        int count = 0;
        while (count < FlushRequest.MaxPages && _frames.TryNext(space, ref address, end, out byte* page))
        {
            PageOperations.Copy(pages + ((ulong)count * PageBytes), page);
            addresses[count++] = address;
            address += PageBytes;
        }

        return count;
    }

    private static RpcContext ContextOf(in SpaceName name) => new() { VNode = name.VNode, Asid = name.Asid, Class = RpcClass.WriteBack };
}
