// MemoryMarshal: reading and writing structs in byte spans.

using System.Runtime.CompilerServices;
using Internal.Runtime.CompilerHelpers;

namespace System.Runtime.InteropServices;

public static unsafe class MemoryMarshal
{
    public static Span<byte> AsBytes<T>(Span<T> span) where T : unmanaged =>
        new(ref Unsafe.As<T, byte>(ref span._reference), span.Length * sizeof(T));

    public static ReadOnlySpan<byte> AsBytes<T>(ReadOnlySpan<T> span) where T : unmanaged =>
        new(ref Unsafe.As<T, byte>(ref span._reference), span.Length * sizeof(T));

    public static Span<TTo> Cast<TFrom, TTo>(Span<TFrom> span) where TFrom : unmanaged where TTo : unmanaged =>
        new(ref Unsafe.As<TFrom, TTo>(ref span._reference), (int)((long)span.Length * sizeof(TFrom) / sizeof(TTo)));

    public static ReadOnlySpan<TTo> Cast<TFrom, TTo>(ReadOnlySpan<TFrom> span) where TFrom : unmanaged where TTo : unmanaged =>
        new(ref Unsafe.As<TFrom, TTo>(ref span._reference), (int)((long)span.Length * sizeof(TFrom) / sizeof(TTo)));

    public static Span<T> CreateSpan<T>(scoped ref T reference, int length) =>
        new(ref Unsafe.AsRef<T>(Unsafe.AsPointer(ref reference)), length);

    public static ReadOnlySpan<T> CreateReadOnlySpan<T>(scoped ref readonly T reference, int length) =>
        new(ref Unsafe.AsRef<T>(Unsafe.AsPointer(in reference)), length);

    public static ref T GetReference<T>(Span<T> span) => ref span._reference;

    public static ref T GetReference<T>(ReadOnlySpan<T> span) => ref span._reference;

    public static T Read<T>(ReadOnlySpan<byte> source) where T : unmanaged
    {
        if (source.Length < sizeof(T))
        {
            ThrowHelpers.ThrowArgumentOutOfRangeException();
        }

        return Unsafe.ReadUnaligned<T>(ref source._reference);
    }

    public static bool TryRead<T>(ReadOnlySpan<byte> source, out T value) where T : unmanaged
    {
        if (source.Length < sizeof(T))
        {
            value = default;
            return false;
        }

        value = Unsafe.ReadUnaligned<T>(ref source._reference);
        return true;
    }

    public static void Write<T>(Span<byte> destination, in T value) where T : unmanaged
    {
        if (!TryWrite(destination, in value))
        {
            ThrowHelpers.ThrowArgumentOutOfRangeException();
        }
    }

    public static bool TryWrite<T>(Span<byte> destination, in T value) where T : unmanaged
    {
        if (destination.Length < sizeof(T))
        {
            return false;
        }

        Unsafe.WriteUnaligned(ref destination._reference, value);
        return true;
    }

    public static ref T AsRef<T>(Span<byte> span) where T : unmanaged
    {
        if (span.Length < sizeof(T))
        {
            ThrowHelpers.ThrowArgumentOutOfRangeException();
        }

        return ref Unsafe.As<byte, T>(ref span._reference);
    }

    public static ref readonly T AsRef<T>(ReadOnlySpan<byte> span) where T : unmanaged
    {
        if (span.Length < sizeof(T))
        {
            ThrowHelpers.ThrowArgumentOutOfRangeException();
        }

        return ref Unsafe.As<byte, T>(ref span._reference);
    }

    public static ref T GetArrayDataReference<T>(T[] array) =>
        ref Unsafe.As<byte, T>(ref Unsafe.As<RawArrayData>(array).Data);
}
