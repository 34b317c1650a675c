// Host stand-in for kernel/machine: objects move here, so a pointer is a number that a table leads back from. The table holds objects
// weakly: whoever owns them keeps them alive, and a test that is over leaves nothing behind but the number.

using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lego.Kernel;

/// <summary>Names an object from unmanaged memory. Zero-initialised = none.</summary>
public readonly struct ObjectPointer<T> where T : class
{
    private readonly nint _handle;

    public ObjectPointer(T target)
    {
        _handle = ObjectHandles.Of(target);
    }

    public bool IsNull => _handle == 0;

    public T Target => _handle == 0 ? null! : Unsafe.As<T>(GCHandle.FromIntPtr(_handle).Target)!;
}

/// <summary>One weak handle for each object that was ever pointed at.</summary>
internal static class ObjectHandles
{
    private static readonly ConditionalWeakTable<object, object> s_handles = new();

    internal static nint Of(object target) =>
        (nint)s_handles.GetValue(target, static key => GCHandle.ToIntPtr(GCHandle.Alloc(key, GCHandleType.Weak)));
}
