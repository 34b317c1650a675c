// The types that C# and ilc take for granted (ECMA-335 I.8.2.2). Their operators are built into the compiler, so most are empty.
// Nothing here allocates or blocks; there is no runtime behind it.

using Internal.Runtime;

namespace System;

public unsafe class Object
{
    // ilc lays objects out with the MethodTable pointer first.
    private MethodTable* _methodTable;

    internal MethodTable* GetMethodTable() => _methodTable;
}

public struct Void
{
}

public abstract class ValueType
{
}

public abstract class Enum : ValueType
{
}

public struct Boolean
{
    private bool m_value;
}

public struct Char
{
    private char m_value;
}

public struct SByte
{
    private sbyte m_value;
}

public struct Byte
{
    public const byte MaxValue = 255;
    private byte m_value;
}

public struct Int16
{
    public const short MaxValue = 0x7FFF;
    private short m_value;
}

public struct UInt16
{
    public const ushort MaxValue = 0xFFFF;
    private ushort m_value;
}

public struct Int32
{
    public const int MaxValue = 0x7FFFFFFF;
    public const int MinValue = unchecked((int)0x80000000);
    private int m_value;
}

public struct UInt32
{
    public const uint MaxValue = 0xFFFFFFFF;
    private uint m_value;
}

public struct Int64
{
    public const long MaxValue = 0x7FFFFFFFFFFFFFFF;
    public const long MinValue = unchecked((long)0x8000000000000000);
    private long m_value;
}

public struct UInt64
{
    public const ulong MaxValue = 0xFFFFFFFFFFFFFFFF;
    private ulong m_value;
}

public struct IntPtr
{
    private nint m_value;
}

public struct UIntPtr
{
    private nuint m_value;
}

public struct Single
{
    private float m_value;
}

public struct Double
{
    private double m_value;
}

public struct Nullable<T> where T : struct
{
    private readonly bool hasValue;
    internal T value;

    public Nullable(T value)
    {
        this.value = value;
        hasValue = true;
    }

    public readonly bool HasValue => hasValue;

    public readonly T Value => value;

    public readonly T GetValueOrDefault() => value;

    public static implicit operator Nullable<T>(T value) => new Nullable<T>(value);
}

public struct RuntimeTypeHandle
{
    private nint _value;
}

public struct RuntimeMethodHandle
{
    private nint _value;
}

public struct RuntimeFieldHandle
{
    private nint _value;
}

public class Type
{
}

/// <summary>ilc looks the name up when it compiles calls on class instances.</summary>
internal sealed class RuntimeType : Type
{
}

public class Exception
{
}

public abstract class Delegate
{
    // Names and order are ilc's (toolchain: "delegates"); the kernel uses function pointers instead of delegates.
    internal object? _firstParameter;
    internal object? _helperObject;
    internal nint _extraFunctionPointerOrData;
    internal nint _functionPointer;
}

public abstract class MulticastDelegate : Delegate
{
}

public interface IDisposable
{
    void Dispose();
}
