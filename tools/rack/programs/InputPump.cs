// Carries the tool's standard input to a program, and only what the program asks for: bytes that it leaves alone are there for whoever
// reads the descriptor next. One thread reads, because read(2) on a terminal or a pipe cannot be cancelled; it is a background thread: the
// process may end while it waits.

using System;
using System.Collections.Concurrent;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>Reads standard input on demand.</summary>
internal sealed class InputPump
{
    private const int MostChunkBytes = 32 * 1024;

    /// <summary>
    /// Reads bytes into the span; 0 is the end (of a terminal: of this read). An empty span only waits until something can be read.
    /// </summary>
    public delegate int Source(Span<byte> buffer);

    private readonly Source _source;
    private readonly Func<ControlFrame, Task> _send;
    private readonly BlockingCollection<(uint Bytes, uint Reads)> _wanted = [];

    public InputPump(Source source, Func<ControlFrame, Task> send)
    {
        _source = source;
        _send = send;
    }

    /// <summary>Begins to serve what is wanted.</summary>
    public void Start() => new Thread(Pump) { IsBackground = true, Name = "standard input" }.Start();

    /// <summary>
    /// The program wants so many reads of at most so many bytes; each is answered by one frame. 0 bytes: by an empty one, in time.
    /// </summary>
    public void Want(uint bytes, uint reads) => _wanted.Add((bytes, reads));

    /// <summary>Ends the thread, when it does not wait for input; nothing can be wanted afterwards.</summary>
    public void Stop() => _wanted.CompleteAdding();

    private void Pump()
    {
        byte[] buffer = new byte[MostChunkBytes];
        foreach ((uint bytes, uint reads) in _wanted.GetConsumingEnumerable())
        {
            Span<byte> room = buffer.AsSpan(0, (int)Math.Min(bytes, (uint)buffer.Length));
            int length = 1;
            for (uint read = 0; read < reads && length > 0; read++)
            {
                length = _source(room);
                ControlFrame frame = length == 0 && bytes != 0
                    ? new ControlFrame(ControlFrameType.StandardInputEnd, 0, default)
                    : new ControlFrame(ControlFrameType.StandardInput, 0, room[..length].ToArray());
                _send(frame).Wait();
            }
        }
    }
}
