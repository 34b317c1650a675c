// Searching and comparing spans. Generic over types that compare bit by bit: kernel code uses them for bytes and integers.

using System.Runtime.CompilerServices;

namespace System;

/// <summary>The subset of the library's span helpers that kernel code uses.</summary>
public static unsafe class MemoryExtensions
{
    public static bool SequenceEqual<T>(this Span<T> first, ReadOnlySpan<T> second) where T : unmanaged =>
        SequenceEqual((ReadOnlySpan<T>)first, second);

    public static bool SequenceEqual<T>(this ReadOnlySpan<T> first, ReadOnlySpan<T> second) where T : unmanaged
    {
        if (first.Length != second.Length)
        {
            return false;
        }

        nuint length = (nuint)first.Length * (nuint)sizeof(T);
        fixed (T* a = first)
        {
            fixed (T* b = second)
            {
                byte* left = (byte*)a;
                byte* right = (byte*)b;
                nuint index = 0;
                for (; index + 8 <= length; index += 8)
                {
                    if (*(ulong*)(left + index) != *(ulong*)(right + index))
                    {
                        return false;
                    }
                }

                for (; index < length; index++)
                {
                    if (left[index] != right[index])
                    {
                        return false;
                    }
                }

                return true;
            }
        }
    }

    public static bool StartsWith<T>(this ReadOnlySpan<T> span, ReadOnlySpan<T> value) where T : unmanaged =>
        span.Length >= value.Length && span.Slice(0, value.Length).SequenceEqual(value);

    public static bool StartsWith<T>(this Span<T> span, ReadOnlySpan<T> value) where T : unmanaged =>
        StartsWith((ReadOnlySpan<T>)span, value);

    public static bool EndsWith<T>(this ReadOnlySpan<T> span, ReadOnlySpan<T> value) where T : unmanaged =>
        span.Length >= value.Length && span.Slice(span.Length - value.Length).SequenceEqual(value);

    public static bool EndsWith<T>(this Span<T> span, ReadOnlySpan<T> value) where T : unmanaged =>
        EndsWith((ReadOnlySpan<T>)span, value);

    public static int IndexOf(this ReadOnlySpan<byte> span, byte value)
    {
        for (int index = 0; index < span.Length; index++)
        {
            if (span[index] == value)
            {
                return index;
            }
        }

        return -1;
    }

    public static int IndexOf(this Span<byte> span, byte value) => IndexOf((ReadOnlySpan<byte>)span, value);

    public static int IndexOf(this ReadOnlySpan<byte> span, ReadOnlySpan<byte> value)
    {
        for (int index = 0; index + value.Length <= span.Length; index++)
        {
            if (span.Slice(index, value.Length).SequenceEqual(value))
            {
                return index;
            }
        }

        return -1;
    }

    public static int LastIndexOf(this ReadOnlySpan<byte> span, byte value)
    {
        for (int index = span.Length - 1; index >= 0; index--)
        {
            if (span[index] == value)
            {
                return index;
            }
        }

        return -1;
    }

    public static int LastIndexOf(this Span<byte> span, byte value) => LastIndexOf((ReadOnlySpan<byte>)span, value);

    public static bool Contains(this ReadOnlySpan<byte> span, byte value) => IndexOf(span, value) >= 0;

    public static Span<T> AsSpan<T>(this T[]? array) => new(array);

    public static Span<T> AsSpan<T>(this T[] array, int start) => new Span<T>(array).Slice(start);

    public static Span<T> AsSpan<T>(this T[] array, int start, int length) => new(array, start, length);
}
