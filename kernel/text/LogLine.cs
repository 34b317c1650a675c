// A log line built by C#'s interpolated strings without allocation: the compiler turns Log.Info($"...") into calls on this handler
// (C# language reference, "interpolated string handler"). Text goes into a fixed buffer; what does not fit is cut.

using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>Collects one line of ASCII text.</summary>
[InterpolatedStringHandler]
public unsafe ref struct LogLine
{
    private const int Capacity = 224;
    private const int MaxDigits = 24;

    private fixed byte _text[Capacity];
    private int _length;

    public LogLine(int literalLength, int formattedCount)
    {
        _length = 0;
    }

    /// <summary>The text so far.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Text => new(Unsafe.AsPointer(ref _text[0]), _length);

    public void AppendLiteral(string text)
    {
        for (int index = 0; index < text.Length; index++)
        {
            AppendByte((byte)text[index]);
        }
    }

    public void AppendFormatted(string text) => AppendLiteral(text);

    public void AppendFormatted(scoped ReadOnlySpan<byte> text)
    {
        for (int index = 0; index < text.Length; index++)
        {
            AppendByte(text[index]);
        }
    }

    public void AppendFormatted(bool value) => AppendLiteral(value ? "true" : "false");

    public void AppendFormatted(long value)
    {
        if (value < 0)
        {
            AppendByte((byte)'-');
            AppendFormatted((ulong)-value);
        }
        else
        {
            AppendFormatted((ulong)value);
        }
    }

    public void AppendFormatted(int value) => AppendFormatted((long)value);

    public void AppendFormatted(uint value) => AppendFormatted((ulong)value);

    public void AppendFormatted(ulong value) => AppendDigits(value, 10, 1);

    /// <summary>{value:x} writes hexadecimal; {value:x16} pads to 16 digits; {value:d6} pads decimals to 6.</summary>
    public void AppendFormatted(ulong value, string format)
    {
        int width = 0;
        for (int index = 1; index < format.Length; index++)
        {
            width = (width * 10) + (format[index] - '0');
        }

        AppendDigits(value, format[0] == 'x' ? 16u : 10u, width == 0 ? 1 : width);
    }

    public void AppendFormatted(uint value, string format) => AppendFormatted((ulong)value, format);

    public void AppendFormatted(int value, string format) => AppendFormatted((ulong)value, format);

    private void AppendDigits(ulong value, uint radix, int width)
    {
        byte* digits = stackalloc byte[MaxDigits];
        int count = 0;
        do
        {
            uint digit = (uint)(value % radix);
            digits[count++] = (byte)(digit < 10 ? '0' + digit : 'a' + digit - 10);
            value /= radix;
        }
        while ((value != 0 || count < width) && count < MaxDigits);
        while (count > 0)
        {
            AppendByte(digits[--count]);
        }
    }

    private void AppendByte(byte value)
    {
        if (_length < Capacity)
        {
            _text[_length++] = value;
        }
    }
}
