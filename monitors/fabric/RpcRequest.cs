// A request as its service sees it. Valid only inside TryHandle or Handle.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>Header fields, body and reply of one request.</summary>
public unsafe ref struct RpcRequest
{
    private readonly RpcEndpoint _endpoint;
    private readonly Peer _peer;
    private readonly MessageHeader* _header;

    internal RpcRequest(RpcEndpoint endpoint, Peer peer, MessageHeader* header, ReadOnlySpan<byte> body, bool isReplay)
    {
        _endpoint = endpoint;
        _peer = peer;
        _header = header;
        Body = body;
        IsReplay = isReplay;
        Replied = false;
    }

    public readonly Opcode Opcode => _header->Opcode;

    /// <summary>Node that asks.</summary>
    public readonly ushort Source => _header->Source;

    /// <summary>The life of it that asks.</summary>
    public readonly uint SourceIncarnation => _header->SourceIncarnation;

    /// <summary>False when the requester's life, or this component's, has ended since the request came: nobody gets its reply.</summary>
    public readonly bool IsWanted => _endpoint.IsCurrent(_peer, _header);

    /// <summary>The membership epoch that it knows.</summary>
    public readonly uint Epoch => _header->Epoch;

    public readonly ushort VNode => _header->VNode;

    /// <summary>Address space that the request is about.</summary>
    public readonly uint Asid => _header->Asid;

    public readonly RpcClass Class => _header->Class;

    /// <summary>Longest reply body that the requester has room for.</summary>
    public readonly int ReplyCapacityBytes => (int)Math.Min(_header->ReplyCapacity, MessageHeader.MaxBodyBytes);

    /// <summary>
    /// The request has been executed before and its reply was lost: answer without doing it again (see RpcService.RunsReplays).
    /// </summary>
    public bool IsReplay { get; }

    /// <summary>The request's body; in TryHandle it lies in the link, where the peer may still write: read each byte once.</summary>
    public ReadOnlySpan<byte> Body { get; }

    internal bool Replied { get; private set; }

    /// <summary>What the request was answered with; None before.</summary>
    public Errno Status { get; private set; }

    /// <summary>Copies the fixed part of the body; false (the caller answers EPROTO) when the body is shorter.</summary>
    public readonly bool TryReadHead<T>(out T head, out ReadOnlySpan<byte> rest) where T : unmanaged
    {
        if (Body.Length < sizeof(T))
        {
            head = default;
            rest = default;
            return false;
        }

        head = Unsafe.ReadUnaligned<T>(ref MemoryMarshal.GetReference(Body));
        rest = Body.Slice(sizeof(T));
        return true;
    }

    /// <summary>Answers with a status and no body.</summary>
    public void Reply(Errno status) => Reply(status, default, default);

    /// <summary>Answers; head and payload are copied onto the link before this returns.</summary>
    public void Reply(Errno status, scoped ReadOnlySpan<byte> head, scoped ReadOnlySpan<byte> payload = default)
    {
        if (Replied)
        {
            Panic.Because("RpcRequest.Reply: called twice");
        }

        Replied = true;
        Status = status;
        fixed (byte* headBytes = &MemoryMarshal.GetReference(head), payloadBytes = &MemoryMarshal.GetReference(payload))
        {
            _endpoint.SendReply(_peer, _header, status, headBytes, head.Length, payloadBytes, payload.Length);
        }
    }

    /// <summary>Answers with a fixed-size head.</summary>
    public void Reply<T>(Errno status, in T head, scoped ReadOnlySpan<byte> payload = default) where T : unmanaged
    {
        T copy = head;
        Reply(status, new ReadOnlySpan<byte>(&copy, sizeof(T)), payload);
    }
}
