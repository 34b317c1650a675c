// Counters as text: one "name value\n" line each, written into a caller's buffer. Names are dotted paths (processor.excache.faults).
// Every class that counts has a method Report(ref StatisticsWriter); the control channel asks for all of them.

using System;

namespace Lego.Kernel;

/// <summary>Writes counter lines; what does not fit is left out and <see cref="Truncated"/> says so.</summary>
public ref struct StatisticsWriter
{
    private readonly Span<byte> _buffer;
    private int _length;

    public StatisticsWriter(Span<byte> buffer)
    {
        _buffer = buffer;
        _length = 0;
        Truncated = false;
    }

    /// <summary>True when a line did not fit.</summary>
    public bool Truncated { get; private set; }

    /// <summary>The lines so far.</summary>
    public readonly ReadOnlySpan<byte> Text => _buffer.Slice(0, _length);

    /// <summary>Adds one counter.</summary>
    public void Add(scoped ReadOnlySpan<byte> name, ulong value) => Add(name, default, value);

    /// <summary>Adds one counter whose name has two parts ("fabric.requests." and "Miss").</summary>
    public void Add(scoped ReadOnlySpan<byte> prefix, scoped ReadOnlySpan<byte> name, ulong value)
    {
        Span<byte> digits = stackalloc byte[DecimalDigits.MaxDigits];
        digits = digits.Slice(0, DecimalDigits.Write(digits, value));
        int needed = prefix.Length + name.Length + 1 + digits.Length + 1;
        if (needed > _buffer.Length - _length)
        {
            Truncated = true;
            return;
        }

        Append(prefix);
        Append(name);
        _buffer[_length++] = (byte)' ';
        Append(digits);
        _buffer[_length++] = (byte)'\n';
    }

    private void Append(scoped ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_buffer.Slice(_length));
        _length += bytes.Length;
    }
}
