// The floor that every figure of the fabric is measured against: a page goes to a peer and back as one frame each way, with no request
// table, no service and no scheduler in between. Used by `bench fetch` only; a lost frame (ethernet) is given up after a while.

using System;
using Lego.Kernel;

namespace Lego.Fabric;

public sealed unsafe partial class RpcEndpoint
{
    private const ulong RawEchoPatienceNs = 100_000_000;

    private byte* _rawEchoTarget;
    private bool _rawEchoArrived;

    /// <summary>
    /// Sends a page to a peer and polls until it has come back into the same page. Does not block. False when the link is full or nothing
    /// came.
    /// </summary>
    public bool RawEcho(ushort to, void* page)
    {
        if (to > MaxNode || _peers[to] is not { } peer)
        {
            return false;
        }

        MessageHeader header = MessageForms.Bare(_node, peer, MessageKind.RawEcho, Epoch);
        _rawEchoTarget = (byte*)page;
        _rawEchoArrived = false;
        _watch.Begin(peer.Link);
        if (!_sender.Transmit(peer, &header, (byte*)page, PageOperations.PageSize, null, 0))
        {
            return false;
        }

        ulong deadline = Clock.NowNs() + RawEchoPatienceNs;
        while (!_rawEchoArrived)
        {
            if (!ReceiveOne(peer.Link) && Clock.NowNs() > deadline)
            {
                break;
            }
        }

        _rawEchoTarget = null;
        EndWatch();

        return _rawEchoArrived;
    }

    private void ReturnRawEcho(Peer peer, ReadOnlySpan<byte> body)
    {
        MessageHeader header = MessageForms.Bare(_node, peer, MessageKind.RawEchoReply, Epoch);
        fixed (byte* bytes = body)
        {
            // A full link drops the echo, as it may drop any frame below the RPC layer.
            _sender.Transmit(peer, &header, bytes, body.Length, null, 0);
        }
    }

    private void AcceptRawEcho(byte* body, int bodyBytes)
    {
        if (_rawEchoTarget != null && bodyBytes == PageOperations.PageSize)
        {
            PageOperations.Copy(_rawEchoTarget, body);
            _rawEchoArrived = true;
        }
    }
}
