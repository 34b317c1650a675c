// Requests whose fragments arrive one by one: each collects in a buffer of the common pool until it is whole.
//
// A collection is a favour: its sender sends the whole request again until it is answered. So a buffer that is needed for a request that is
// whole, or for a new collection, may be taken from the collection begun longest ago; late fragments of requests that are over, which open
// collections that nobody completes, cannot hold the pool. Collections of a peer's former life go with it.
//
// Invariant: every buffer in the list is in no other list, holds the header of its first fragment, and has at least one fragment missing.

using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Puts requests together.</summary>
internal sealed unsafe class FragmentCollector
{
    private readonly MessageBuffers _buffers;
    /// <summary>Latest first.</summary>
    private MessageBuffer* _first;

    internal FragmentCollector(MessageBuffers buffers) => _buffers = buffers;

    /// <summary>Collections that were given up for their buffer.</summary>
    internal ulong Abandoned { get; private set; }

    /// <summary>
    /// Adds a fragment. The buffer with the whole request, which is the caller's now; null: not whole yet, or no room, or nonsense.
    /// </summary>
    internal MessageBuffer* Add(MessageHeader* header, byte* body, int bodyBytes, out bool isNonsense)
    {
        isNonsense = false;
        MessageBuffer* buffer = Find(header);
        if (buffer == null)
        {
            buffer = Take((int)header->BodyBytes);
            if (buffer == null)
            {
                return null;
            }

            buffer->Header = *header;
            buffer->FragmentsSeen = 0;
            buffer->Next = _first;
            _first = buffer;
        }

        MessageHeader* first = &buffer->Header;
        if (first->BodyBytes != header->BodyBytes || first->FragmentCount != header->FragmentCount || first->Opcode != header->Opcode)
        {
            isNonsense = true;
            return null;
        }

        FrameCopy.Bytes(MessageBuffers.BodyOf(buffer) + header->FragmentOffset, body, bodyBytes);
        buffer->FragmentsSeen |= 1UL << header->FragmentIndex;
        first->Attempt = header->Attempt;
        if (buffer->FragmentsSeen != ulong.MaxValue >> (MessageHeader.MaxFragments - header->FragmentCount))
        {
            return null;
        }

        Remove(buffer);
        return buffer;
    }

    /// <summary>A buffer of the pool, if need be from a collection; null: all are in use for whole requests.</summary>
    internal MessageBuffer* Take(int bodyBytes)
    {
        MessageBuffer* buffer = _buffers.Take(bodyBytes);
        while (buffer == null && _first != null)
        {
            MessageBuffer* oldest = _first;
            while (oldest->Next != null)
            {
                oldest = oldest->Next;
            }

            Abandoned++;
            Remove(oldest);
            _buffers.Free(oldest);
            buffer = _buffers.Take(bodyBytes);
        }

        return buffer;
    }

    /// <summary>Gives up all collections of a node's requests.</summary>
    internal void Forget(ushort source)
    {
        MessageBuffer* next;
        for (MessageBuffer* buffer = _first; buffer != null; buffer = next)
        {
            next = buffer->Next;
            if (buffer->Header.Source == source)
            {
                Remove(buffer);
                _buffers.Free(buffer);
            }
        }
    }

    private MessageBuffer* Find(MessageHeader* header)
    {
        MessageBuffer* buffer = _first;
        while (buffer != null && (buffer->Header.RequestId != header->RequestId || buffer->Header.Source != header->Source))
        {
            buffer = buffer->Next;
        }

        return buffer;
    }

    private void Remove(MessageBuffer* buffer)
    {
        if (_first == buffer)
        {
            _first = buffer->Next;
            return;
        }

        MessageBuffer* previous = _first;
        while (previous->Next != buffer)
        {
            previous = previous->Next;
        }

        previous->Next = buffer->Next;
    }
}
