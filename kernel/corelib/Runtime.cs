// What ilc's generated code calls by name (toolchain facts, ilc 10): block moves, throw helpers, casts, start-up. Throw helpers panic:
// the kernel has no exceptions, so an index out of range is a broken invariant of ours.

using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace System
{
    /// <summary>Block operations that the JIT calls for large structs; they must not themselves copy structs.</summary>
    internal static unsafe class SpanHelpers
    {
        private const nuint WordBytes = sizeof(ulong);

        internal static void Memmove(ref byte destination, ref byte source, nuint lengthBytes)
        {
            byte* to = (byte*)Unsafe.AsPointer(ref destination);
            byte* from = (byte*)Unsafe.AsPointer(ref source);
            if (to <= from || to >= from + lengthBytes)
            {
                if (lengthBytes >= PageOperations.LargeCopyBytes)
                {
                    PageOperations.CopyBytes(to, from, lengthBytes);
                    return;
                }

                for (; lengthBytes >= WordBytes; lengthBytes -= WordBytes)
                {
                    *(ulong*)to = *(ulong*)from;
                    to += WordBytes;
                    from += WordBytes;
                }

                for (; lengthBytes > 0; lengthBytes--)
                {
                    *to++ = *from++;
                }

                return;
            }
            // The end of the source is overwritten by the start of the copy: copy backwards.
            for (; lengthBytes >= WordBytes; lengthBytes -= WordBytes)
            {
                *(ulong*)(to + lengthBytes - WordBytes) = *(ulong*)(from + lengthBytes - WordBytes);
            }

            while (lengthBytes > 0)
            {
                lengthBytes--;
                to[lengthBytes] = from[lengthBytes];
            }
        }

        internal static void Fill(ref byte start, byte value, nuint lengthBytes)
        {
            byte* to = (byte*)Unsafe.AsPointer(ref start);
            for (nuint index = 0; index < lengthBytes; index++)
            {
                to[index] = value;
            }
        }

        internal static void ClearWithoutReferences(ref byte start, nuint lengthBytes)
        {
            byte* to = (byte*)Unsafe.AsPointer(ref start);
            for (; lengthBytes >= WordBytes; lengthBytes -= WordBytes)
            {
                *(ulong*)to = 0;
                to += WordBytes;
            }

            for (; lengthBytes > 0; lengthBytes--)
            {
                *to++ = 0;
            }
        }
    }

    internal static class Buffer
    {
        internal static void BulkMoveWithWriteBarrier(ref byte destination, ref byte source, nuint lengthBytes) =>
            SpanHelpers.Memmove(ref destination, ref source, lengthBytes);
    }
}

namespace System.Runtime
{
    /// <summary>Casts between kernel classes are not used; ilc wants the names.</summary>
    internal static unsafe class TypeCast
    {
        internal static void StelemRef(object?[] array, nint index, object? value)
        {
            if ((nuint)index >= (nuint)array.Length)
            {
                Internal.Runtime.CompilerHelpers.ThrowHelpers.ThrowIndexOutOfRangeException();
            }

            Unsafe.Add(ref Unsafe.As<byte, object?>(ref Unsafe.As<RawArrayData>(array).Data), index) = value;
        }
    }
}

namespace System.Runtime.CompilerServices
{
    /// <summary>A static constructor that ilc could not evaluate runs at first use; the block's layout is ilc's.</summary>
    internal unsafe struct StaticClassConstructionContext
    {
        internal nint CctorMethodAddress;
    }

    internal static unsafe class ClassConstructorRunner
    {
        private static void CheckStaticClassConstruction(ref StaticClassConstructionContext context)
        {
            nint constructor = context.CctorMethodAddress;
            if (constructor != 0)
            {
                context.CctorMethodAddress = 0;
                ((delegate*<void>)constructor)();
            }
        }

        internal static object? CheckStaticClassConstructionReturnGCStaticBase(ref StaticClassConstructionContext context,
            object? gcStaticBase)
        {
            CheckStaticClassConstruction(ref context);
            return gcStaticBase;
        }

        internal static nint CheckStaticClassConstructionReturnNonGCStaticBase(ref StaticClassConstructionContext context,
            nint nonGcStaticBase)
        {
            CheckStaticClassConstruction(ref context);
            return nonGcStaticBase;
        }
    }
}

namespace Internal.Runtime
{
    /// <summary>Only the head of ilc's MethodTable: what allocation needs.</summary>
    internal struct MethodTable
    {
        internal ushort ComponentSize;
        internal ushort Flags;
        internal uint BaseSizeBytes;
    }
}

namespace Internal.Runtime.CompilerHelpers
{
    internal static class StartupCodeHelpers
    {
    }

    internal static class ThrowHelpers
    {
        internal static void ThrowIndexOutOfRangeException() => Panic.Because("index out of range");

        internal static void ThrowArgumentOutOfRangeException() => Panic.Because("slice out of range");

        internal static void ThrowDivideByZeroException() => Panic.Because("division by zero");

        internal static void ThrowOverflowException() => Panic.Because("arithmetic overflow");

        internal static void ThrowNullReferenceException() => Panic.Because("null reference");

        internal static void ThrowArgumentException() => Panic.Because("bad argument");

        internal static void ThrowArrayTypeMismatchException() => Panic.Because("array type mismatch");

        internal static void ThrowPlatformNotSupportedException() => Panic.Because("instruction not supported");

        internal static void ThrowNotImplementedException() => Panic.Because("not implemented");

        internal static void ThrowInvalidProgramException() => Panic.Because("invalid program");

        internal static void ThrowInvalidProgramExceptionWithArgument(string argument) => Panic.Because(argument);

        internal static void ThrowBodyRemoved() => Panic.Because("method body removed");

        internal static void ThrowInstanceBodyRemoved() => Panic.Because("instance method body removed");

        internal static void ThrowFeatureBodyRemoved() => Panic.Because("feature removed");
    }
}
