// Carries a program's output to the tool's own descriptors. Threads write, because write(2) blocks while the reader pauses, and meanwhile
// frames about everything else must go on being read. What lies here is bounded by the program's credit: it comes back
// (StandardOutputTaken) once written. A descriptor that fails is told to the program, whose writes then fail the same way
// (StandardOutputClosed).
//
// Two descriptors on the same file (2>&1, a terminal) share a thread: what was written first comes first.

using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Mono.Unix.Native;

namespace Lego.Racks;

/// <summary>Writes bytes to a descriptor; the errno when that is no longer possible, else 0.</summary>
internal delegate Errno OutputSink(int descriptor, ReadOnlySpan<byte> bytes);

/// <summary>Writes standard output and error of one program.</summary>
internal sealed class OutputPump : IDisposable
{
    /// <summary>Credit goes back in pieces of this size: a quarter of the window keeps a fast writer busy and costs few messages.</summary>
    private const uint ReturnBytes = 64 * 1024;

    private readonly OutputSink _sink;
    private readonly Func<ControlFrame, Task> _send;
    private readonly Stream _output = new(HostTerminal.StandardOutput);
    private readonly Stream _error = new(HostTerminal.StandardError);
    private readonly Writer[] _writers;

    /// <param name="send">Sends a frame of the session.</param>
    /// <param name="isOneFile">Both descriptors are the same file.</param>
    public OutputPump(OutputSink sink, Func<ControlFrame, Task> send, bool isOneFile)
    {
        _sink = sink;
        _send = send;
        Writer first = new(this);
        Writer second = isOneFile ? first : new Writer(this);
        _output.Writer = first;
        _error.Writer = second;
        _writers = isOneFile ? [first] : [first, second];
    }

    /// <summary>The descriptor that could not be written, and why; null when everything went out or nobody wanted to read it.</summary>
    public (int Descriptor, Errno Error)? Failure => new[] { _output, _error }
        .Where(stream => stream.Error is not (0 or Errno.EPIPE)).Select(stream => ((int, Errno)?)(stream.Descriptor, stream.Error))
            .FirstOrDefault();

    /// <summary>Queues a frame's bytes. Sentences of the rack go to standard error and cost no credit.</summary>
    public void Add(ControlFrame frame)
    {
        Stream stream = frame.Type == ControlFrameType.StandardOutput ? _output : _error;
        stream.Writer!.Add(new Piece(stream, frame.Payload, frame.Type != ControlFrameType.Sentence));
    }

    /// <summary>Completes when everything that was added has been written; nothing can be added afterwards.</summary>
    public Task DrainAsync() => Task.WhenAll(_writers.Select(writer => writer.DrainAsync()));

    public void Dispose() => Array.ForEach(_writers, writer => _ = writer.DrainAsync());

    private void Write(Piece piece)
    {
        Stream stream = piece.Stream;
        if (stream.Error == 0)
        {
            stream.Error = _sink(stream.Descriptor, piece.Bytes.Span);
            if (stream.Error != 0)
            {
                _send(ControlFrame.WithNumbers(ControlFrameType.StandardOutputClosed, (uint)stream.Descriptor,
                    (uint)NativeConvert.FromErrno(stream.Error))).Wait();
            }
        }

        if (piece.IsCredited)
        {
            stream.Written += ControlFrame.HeaderBytes + (uint)piece.Bytes.Length;
            if (stream.Written >= ReturnBytes)
            {
                _send(ControlFrame.WithNumbers(ControlFrameType.StandardOutputTaken, (uint)stream.Descriptor, stream.Written)).Wait();
                stream.Written = 0;
            }
        }
    }

    private readonly record struct Piece(Stream Stream, ReadOnlyMemory<byte> Bytes, bool IsCredited);

    /// <summary>A descriptor, which is also the stream's number.</summary>
    private sealed class Stream(int descriptor)
    {
        public int Descriptor { get; } = descriptor;

        public Writer? Writer { get; set; }

        public Errno Error { get; set; }

        /// <summary>Credit that has not been given back yet.</summary>
        public uint Written { get; set; }
    }

    /// <summary>A thread and its queue. It is a background thread: the process may end while it waits in write(2).</summary>
    private sealed class Writer
    {
        private readonly BlockingCollection<Piece> _queue = [];
        private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Writer(OutputPump pump)
        {
            new Thread(() => Run(pump)) { IsBackground = true, Name = "output" }.Start();
        }

        public void Add(Piece piece) => _queue.Add(piece);

        public Task DrainAsync()
        {
            _queue.CompleteAdding();
            return _drained.Task;
        }

        private void Run(OutputPump pump)
        {
            foreach (Piece piece in _queue.GetConsumingEnumerable())
            {
                pump.Write(piece);
            }

            _drained.TrySetResult();
        }
    }
}
