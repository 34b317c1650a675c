// Atomic operations. The JIT turns each into one instruction (lock cmpxchg, xchg, lock xadd, lock or, mov); a method that calls itself is
// one that it must expand.

using System.Runtime.CompilerServices;

namespace System.Threading;

public static class Interlocked
{
    [Intrinsic]
    public static int CompareExchange(ref int location, int value, int comparand) => CompareExchange(ref location, value, comparand);

    [Intrinsic]
    public static long CompareExchange(ref long location, long value, long comparand) => CompareExchange(ref location, value, comparand);

    public static uint CompareExchange(ref uint location, uint value, uint comparand) =>
        (uint)CompareExchange(ref Unsafe.As<uint, int>(ref location), (int)value, (int)comparand);

    public static ulong CompareExchange(ref ulong location, ulong value, ulong comparand) =>
        (ulong)CompareExchange(ref Unsafe.As<ulong, long>(ref location), (long)value, (long)comparand);

    [Intrinsic]
    public static int Exchange(ref int location, int value) => Exchange(ref location, value);

    [Intrinsic]
    public static long Exchange(ref long location, long value) => Exchange(ref location, value);

    public static uint Exchange(ref uint location, uint value) => (uint)Exchange(ref Unsafe.As<uint, int>(ref location), (int)value);

    public static ulong Exchange(ref ulong location, ulong value) => (ulong)Exchange(ref Unsafe.As<ulong, long>(ref location), (long)value);

    [Intrinsic]
    public static int ExchangeAdd(ref int location, int value) => ExchangeAdd(ref location, value);

    [Intrinsic]
    public static long ExchangeAdd(ref long location, long value) => ExchangeAdd(ref location, value);

    public static int Add(ref int location, int value) => ExchangeAdd(ref location, value) + value;

    public static uint Add(ref uint location, uint value) => (uint)Add(ref Unsafe.As<uint, int>(ref location), (int)value);

    public static long Add(ref long location, long value) => ExchangeAdd(ref location, value) + value;

    public static ulong Add(ref ulong location, ulong value) => (ulong)Add(ref Unsafe.As<ulong, long>(ref location), (long)value);

    public static int Increment(ref int location) => Add(ref location, 1);

    public static uint Increment(ref uint location) => Add(ref location, 1);

    public static ulong Increment(ref ulong location) => Add(ref location, 1);

    public static int Decrement(ref int location) => Add(ref location, -1);

    [Intrinsic]
    public static void MemoryBarrier() => MemoryBarrier();
}

public static class Volatile
{
    [Intrinsic]
    public static bool Read(ref readonly bool location) => Read(in location);

    [Intrinsic]
    public static byte Read(ref readonly byte location) => Read(in location);

    [Intrinsic]
    public static ushort Read(ref readonly ushort location) => Read(in location);

    [Intrinsic]
    public static int Read(ref readonly int location) => Read(in location);

    [Intrinsic]
    public static uint Read(ref readonly uint location) => Read(in location);

    [Intrinsic]
    public static long Read(ref readonly long location) => Read(in location);

    [Intrinsic]
    public static ulong Read(ref readonly ulong location) => Read(in location);

    [Intrinsic]
    public static void Write(ref bool location, bool value) => Write(ref location, value);

    [Intrinsic]
    public static void Write(ref byte location, byte value) => Write(ref location, value);

    [Intrinsic]
    public static void Write(ref ushort location, ushort value) => Write(ref location, value);

    [Intrinsic]
    public static void Write(ref int location, int value) => Write(ref location, value);

    [Intrinsic]
    public static void Write(ref uint location, uint value) => Write(ref location, value);

    [Intrinsic]
    public static void Write(ref long location, long value) => Write(ref location, value);

    [Intrinsic]
    public static void Write(ref ulong location, ulong value) => Write(ref location, value);
}
