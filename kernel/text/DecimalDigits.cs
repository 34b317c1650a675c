// Numbers as decimal digits, the one place where they are made.

using System;

namespace Lego.Kernel;

/// <summary>Decimal digits without a formatter.</summary>
public static class DecimalDigits
{
    /// <summary>Digits that the largest number has.</summary>
    public const int MaxDigits = 20;

    /// <summary>Writes a number at the start of a span that is long enough (MaxDigits always are); gives the digits written.</summary>
    public static int Write(Span<byte> to, ulong number)
    {
        int digits = 1;
        for (ulong rest = number; rest >= 10; rest /= 10)
        {
            digits++;
        }

        for (int index = digits - 1; index >= 0; index--)
        {
            to[index] = (byte)('0' + (number % 10));
            number /= 10;
        }

        return digits;
    }
}
