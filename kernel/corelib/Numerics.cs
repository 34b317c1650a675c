// Small arithmetic: minima, bit counting, byte order, CRC32C.

using System.Runtime.CompilerServices;

namespace System
{
    public static class Math
    {
        public static int Min(int a, int b) => a < b ? a : b;

        public static uint Min(uint a, uint b) => a < b ? a : b;

        public static long Min(long a, long b) => a < b ? a : b;

        public static ulong Min(ulong a, ulong b) => a < b ? a : b;

        public static int Max(int a, int b) => a > b ? a : b;

        public static uint Max(uint a, uint b) => a > b ? a : b;

        public static long Max(long a, long b) => a > b ? a : b;

        public static ulong Max(ulong a, ulong b) => a > b ? a : b;

        public static int Clamp(int value, int min, int max) => value < min ? min : value > max ? max : value;

        public static uint Clamp(uint value, uint min, uint max) => value < min ? min : value > max ? max : value;

        public static long Clamp(long value, long min, long max) => value < min ? min : value > max ? max : value;

        public static int Abs(int value) => value < 0 ? -value : value;

        public static long Abs(long value) => value < 0 ? -value : value;

        /// <summary>128-bit product (schoolbook, four 32-bit halves); returns the high word.</summary>
        public static ulong BigMul(ulong a, ulong b, out ulong low)
        {
            ulong aLow = (uint)a;
            ulong aHigh = a >> 32;
            ulong bLow = (uint)b;
            ulong bHigh = b >> 32;
            ulong lowLow = aLow * bLow;
            ulong middle = (aHigh * bLow) + (lowLow >> 32);
            ulong middle2 = (aLow * bHigh) + (uint)middle;
            low = a * b;
            return (aHigh * bHigh) + (middle >> 32) + (middle2 >> 32);
        }
    }
}

namespace System.Numerics
{
    public static class BitOperations
    {
        public static int PopCount(uint value) => PopCount((ulong)value);

        public static int PopCount(ulong value)
        {
            value -= (value >> 1) & 0x5555555555555555;
            value = (value & 0x3333333333333333) + ((value >> 2) & 0x3333333333333333);
            value = (value + (value >> 4)) & 0x0F0F0F0F0F0F0F0F;
            return (int)((value * 0x0101010101010101) >> 56);
        }

        public static int LeadingZeroCount(uint value) => LeadingZeroCount((ulong)value) - 32;

        public static int LeadingZeroCount(ulong value)
        {
            value |= value >> 1;
            value |= value >> 2;
            value |= value >> 4;
            value |= value >> 8;
            value |= value >> 16;
            value |= value >> 32;
            return 64 - PopCount(value);
        }

        public static int TrailingZeroCount(uint value) => value == 0 ? 32 : TrailingZeroCount((ulong)value);

        public static int TrailingZeroCount(int value) => TrailingZeroCount((uint)value);

        public static int TrailingZeroCount(ulong value) => PopCount(~value & (value - 1));

        public static int Log2(uint value) => Log2((ulong)value);

        public static int Log2(ulong value) => value == 0 ? 0 : 63 - LeadingZeroCount(value);

        public static bool IsPow2(int value) => value > 0 && (value & (value - 1)) == 0;

        public static bool IsPow2(uint value) => value != 0 && (value & (value - 1)) == 0;

        public static bool IsPow2(ulong value) => value != 0 && (value & (value - 1)) == 0;

        public static uint RoundUpToPowerOf2(uint value) => (uint)RoundUpToPowerOf2((ulong)value);

        public static ulong RoundUpToPowerOf2(ulong value) => value <= 1 ? value : 1UL << (64 - LeadingZeroCount(value - 1));

        [Intrinsic]
        public static uint RotateLeft(uint value, int offset) => (value << offset) | (value >> (32 - offset));

        [Intrinsic]
        public static ulong RotateLeft(ulong value, int offset) => (value << offset) | (value >> (64 - offset));

        [Intrinsic]
        public static uint RotateRight(uint value, int offset) => (value >> offset) | (value << (32 - offset));

        [Intrinsic]
        public static ulong RotateRight(ulong value, int offset) => (value >> offset) | (value << (64 - offset));
    }
}

namespace System.Buffers.Binary
{
    public static class BinaryPrimitives
    {
        public static ushort ReverseEndianness(ushort value) => (ushort)((value >> 8) | (value << 8));

        [Intrinsic]
        public static uint ReverseEndianness(uint value) =>
            (value >> 24) | ((value >> 8) & 0xFF00) | ((value << 8) & 0xFF0000) | (value << 24);

        [Intrinsic]
        public static ulong ReverseEndianness(ulong value) =>
            ((ulong)ReverseEndianness((uint)value) << 32) | ReverseEndianness((uint)(value >> 32));

        public static ushort ReadUInt16LittleEndian(ReadOnlySpan<byte> source) =>
            Runtime.InteropServices.MemoryMarshal.Read<ushort>(source);

        public static uint ReadUInt32LittleEndian(ReadOnlySpan<byte> source) => Runtime.InteropServices.MemoryMarshal.Read<uint>(source);

        public static int ReadInt32LittleEndian(ReadOnlySpan<byte> source) => Runtime.InteropServices.MemoryMarshal.Read<int>(source);

        public static ulong ReadUInt64LittleEndian(ReadOnlySpan<byte> source) => Runtime.InteropServices.MemoryMarshal.Read<ulong>(source);

        public static ushort ReadUInt16BigEndian(ReadOnlySpan<byte> source) => ReverseEndianness(ReadUInt16LittleEndian(source));

        public static uint ReadUInt32BigEndian(ReadOnlySpan<byte> source) => ReverseEndianness(ReadUInt32LittleEndian(source));

        public static ulong ReadUInt64BigEndian(ReadOnlySpan<byte> source) => ReverseEndianness(ReadUInt64LittleEndian(source));

        public static void WriteUInt16LittleEndian(Span<byte> destination, ushort value) =>
            Runtime.InteropServices.MemoryMarshal.Write(destination, in value);

        public static void WriteUInt32LittleEndian(Span<byte> destination, uint value) =>
            Runtime.InteropServices.MemoryMarshal.Write(destination, in value);

        public static void WriteInt32LittleEndian(Span<byte> destination, int value) =>
            Runtime.InteropServices.MemoryMarshal.Write(destination, in value);

        public static void WriteUInt64LittleEndian(Span<byte> destination, ulong value) =>
            Runtime.InteropServices.MemoryMarshal.Write(destination, in value);

        public static void WriteUInt16BigEndian(Span<byte> destination, ushort value) =>
            WriteUInt16LittleEndian(destination, ReverseEndianness(value));

        public static void WriteUInt32BigEndian(Span<byte> destination, uint value) =>
            WriteUInt32LittleEndian(destination, ReverseEndianness(value));

        public static void WriteUInt64BigEndian(Span<byte> destination, ulong value) =>
            WriteUInt64LittleEndian(destination, ReverseEndianness(value));
    }
}

namespace System.Runtime.Intrinsics.X86
{
    public abstract class Sse42
    {
        public static bool IsSupported
        {
            [Intrinsic]
            get => IsSupported;
        }

        [Intrinsic]
        public static uint Crc32(uint crc, byte data) => Crc32(crc, data);

        public abstract class X64
        {
            public static bool IsSupported
            {
                [Intrinsic]
                get => IsSupported;
            }

            [Intrinsic]
            public static ulong Crc32(ulong crc, ulong data) => Crc32(crc, data);
        }
    }

    public abstract class X86Base
    {
        [Intrinsic]
        public static void Pause() => Pause();
    }
}
