// A stream of control frames over a connected socket, either to a machine's virtio-serial port or between keeper and client. Reading is for
// one reader; writing is serialised, so any task may write. The end of the stream, also an abrupt one, reads as null.

using System;
using System.IO;
using System.Net.Sockets;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>Sends and receives <see cref="ControlFrame"/>s.</summary>
internal sealed class ControlChannel : IDisposable
{
    private readonly NetworkStream _stream;
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly byte[] _header = new byte[ControlFrame.HeaderBytes];

    /// <summary>Takes ownership of a connected stream socket.</summary>
    public ControlChannel(Socket socket)
    {
        _stream = new NetworkStream(socket, ownsSocket: true);
    }

    /// <summary>The next frame, or null at the end of the stream.</summary>
    /// <exception cref="InvalidDataException">The other side sent something that is no frame.</exception>
    public async Task<ControlFrame?> ReadAsync(CancellationToken cancellation = default)
    {
        try
        {
            if (await _stream.ReadAtLeastAsync(_header, _header.Length, throwOnEndOfStream: false, cancellation) < _header.Length)
            {
                return null;
            }

            if (!ControlFrame.TryReadHeader(_header, out ControlFrameType type, out ushort session, out int payloadBytes))
            {
                throw new InvalidDataException("a control frame has an impossible length");
            }

            byte[] payload = new byte[payloadBytes];
            await _stream.ReadExactlyAsync(payload, cancellation);
            return new ControlFrame(type, session, payload);
        }
        catch (Exception error) when (error is EndOfStreamException or ObjectDisposedException or IOException)
        {
            return null;
        }
    }

    /// <summary>Sends one frame; false when the other side is gone.</summary>
    public async Task<bool> WriteAsync(ControlFrame frame, CancellationToken cancellation = default)
    {
        await _writing.WaitAsync(cancellation);
        try
        {
            await _stream.WriteAsync(frame.ToBytes(), cancellation);
            return true;
        }
        catch (Exception error) when (error is IOException or ObjectDisposedException)
        {
            return false;
        }
        finally
        {
            _writing.Release();
        }
    }

    public Task<bool> WriteAsync(ControlFrameType type, ushort session = 0) => WriteAsync(new ControlFrame(type, session, default));

    public void Dispose() => _stream.Dispose();
}
