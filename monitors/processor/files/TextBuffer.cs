// Text for pseudo-files, written without allocation. A generator always writes its whole text; the buffer keeps only the part that a reader
// asked for, [skip, skip + window length). So a pseudo-file needs no memory between reads and its text may be of any length.
// Never blocks. Used by files/pseudo and by the system calls that build short texts.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Collects a window of a text.</summary>
public ref struct TextBuffer
{
    private readonly Span<byte> _window;
    private ulong _skip;
    private int _length;

    /// <summary>Keeps what falls into the window; the first <paramref name="skipBytes"/> bytes of the text fall before it.</summary>
    public TextBuffer(Span<byte> window, ulong skipBytes = 0)
    {
        _window = window;
        _skip = skipBytes;
        _length = 0;
    }

    /// <summary>The part of the text that is in the window.</summary>
    public readonly ReadOnlySpan<byte> Text => _window.Slice(0, _length);

    /// <summary>True when nothing more can become visible; a long generator may stop.</summary>
    public readonly bool IsFull => _length == _window.Length;

    public void Append(byte value)
    {
        if (_skip != 0)
        {
            _skip--;
        }
        else if (_length < _window.Length)
        {
            _window[_length++] = value;
        }
    }

    public void Append(scoped ReadOnlySpan<byte> text)
    {
        if (_skip >= (ulong)text.Length)
        {
            _skip -= (ulong)text.Length;
            return;
        }

        ReadOnlySpan<byte> visible = text.Slice((int)_skip);
        _skip = 0;
        visible = visible.Slice(0, Math.Min(visible.Length, _window.Length - _length));
        visible.CopyTo(_window.Slice(_length));
        _length += visible.Length;
    }

    /// <summary>Decimal, at least <paramref name="width"/> characters, filled up on the left.</summary>
    public void AppendNumber(ulong value, int width = 1, byte fill = (byte)' ')
    {
        Span<byte> digits = stackalloc byte[DecimalDigits.MaxDigits];
        digits = digits.Slice(0, DecimalDigits.Write(digits, value));
        for (int padding = width - digits.Length; padding > 0; padding--)
        {
            Append(fill);
        }

        Append(digits);
    }

    /// <summary>Decimal with a sign where needed.</summary>
    public void AppendSigned(long value)
    {
        if (value < 0)
        {
            Append((byte)'-');
            AppendNumber((ulong)-value);
        }
        else
        {
            AppendNumber((ulong)value);
        }
    }

    /// <summary>Lower-case hexadecimal, at least <paramref name="digits"/> digits.</summary>
    public void AppendHex(ulong value, int digits = 1) => AppendHex(value, digits, 'a');

    /// <summary>Upper-case hexadecimal, at least <paramref name="digits"/> digits.</summary>
    public void AppendCapitalHex(ulong value, int digits) => AppendHex(value, digits, 'A');

    private void AppendHex(ulong value, int digits, char ten)
    {
        int used = Math.Max(digits, (67 - System.Numerics.BitOperations.LeadingZeroCount(value | 1)) / 4);
        for (int shift = (used - 1) * 4; shift >= 0; shift -= 4)
        {
            int digit = shift > 60 ? 0 : (int)(value >> shift) & 0xF;
            Append((byte)(digit < 10 ? '0' + digit : ten + digit - 10));
        }
    }

    /// <summary>Octal, at least <paramref name="digits"/> digits.</summary>
    public void AppendOctal(ulong value, int digits)
    {
        int used = digits;
        while (used < 22 && value >> (used * 3) != 0)
        {
            used++;
        }

        for (int shift = (used - 1) * 3; shift >= 0; shift -= 3)
        {
            Append((byte)('0' + (int)((value >> shift) & 7)));
        }
    }

    /// <summary>Hundredths as a decimal fraction: 12345 becomes 123.45.</summary>
    public void AppendHundredths(ulong value)
    {
        AppendNumber(value / 100);
        Append((byte)'.');
        AppendNumber(value % 100, 2, (byte)'0');
    }

    /// <summary>"label value unit\n", the shape of most lines of /proc.</summary>
    public void AppendLine(scoped ReadOnlySpan<byte> label, ulong value, scoped ReadOnlySpan<byte> unit = default)
    {
        Append(label);
        AppendNumber(value);
        Append(unit);
        Append((byte)'\n');
    }
}
