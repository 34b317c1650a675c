// Lines of text for the tool, in a caller's buffer; a line that does not fit is left out.

using System;
using Lego.Kernel;

namespace Lego.Manager.Sessions;

/// <summary>Collects lines.</summary>
public ref struct ListWriter
{
    private readonly Span<byte> _buffer;
    private int _length;

    public ListWriter(Span<byte> buffer)
    {
        _buffer = buffer;
        _length = 0;
    }

    /// <summary>The lines so far.</summary>
    public readonly ReadOnlySpan<byte> Text => _buffer.Slice(0, _length);

    /// <summary>Adds one line: text.Line($"…").</summary>
    public void Line(scoped ref LogLine line) => Line(ref line, default);

    /// <summary>Adds one line that ends in some text, which may be longer than a line of the log.</summary>
    public void Line(scoped ref LogLine line, scoped ReadOnlySpan<byte> rest)
    {
        ReadOnlySpan<byte> text = line.Text;
        if (text.Length + rest.Length < _buffer.Length - _length)
        {
            text.CopyTo(_buffer.Slice(_length));
            rest.CopyTo(_buffer.Slice(_length + text.Length));
            _length += text.Length + rest.Length;
            _buffer[_length++] = (byte)'\n';
        }
    }
}
