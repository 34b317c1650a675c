// Carries the tool's standard input to a program. One thread reads, because read(2) on a terminal or a pipe cannot be cancelled; it never has
// more than the credit of 64 KB on its way that the program has not taken (StandardInputTaken gives credit back), so a program that does not
// read makes the tool stop reading. The thread is a background thread: the process may end while it waits.

using System;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>Reads standard input with credit.</summary>
public sealed class InputPump
{
    /// <summary>Bytes that may be on their way; the control channel's rule.</summary>
    public const int CreditBytes = 64 * 1024;
    private const int MostChunkBytes = 16 * 1024;

    /// <summary>Reads bytes into the span; 0 is the end.</summary>
    public delegate int Source(Span<byte> buffer);

    private readonly Source _source;
    private readonly Func<ControlFrame, Task> _send;
    private readonly Lock _lock = new();
    private readonly ManualResetEventSlim _hasCredit = new(true);
    private int _credit = CreditBytes;

    public InputPump(Source source, Func<ControlFrame, Task> send)
    {
        _source = source;
        _send = send;
    }

    /// <summary>Begins to read.</summary>
    public void Start() => new Thread(Pump) { IsBackground = true, Name = "standard input" }.Start();

    /// <summary>The program has taken bytes.</summary>
    public void AddCredit(uint bytes)
    {
        lock (_lock)
        {
            _credit = (int)Math.Min(_credit + (long)bytes, CreditBytes);
            if (_credit > 0)
            {
                _hasCredit.Set();
            }
        }
    }

    private void Pump()
    {
        byte[] buffer = new byte[MostChunkBytes];
        while (true)
        {
            _hasCredit.Wait();
            int length = _source(buffer.AsSpan(0, Math.Min(buffer.Length, Volatile.Read(ref _credit))));
            if (length == 0)
            {
                _send(new ControlFrame(ControlFrameType.StandardInputEnd, 0, default)).Wait();
                return;
            }

            lock (_lock)
            {
                _credit -= length;
                if (_credit == 0)
                {
                    _hasCredit.Reset();
                }
            }

            _send(new ControlFrame(ControlFrameType.StandardInput, 0, buffer.AsSpan(0, length).ToArray())).Wait();
        }
    }
}
