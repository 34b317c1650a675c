// Helpers that the compiler calls for constant data.

namespace System.Runtime.CompilerServices;

public static class RuntimeHelpers
{
    /// <summary>`ReadOnlySpan&lt;int&gt; X => new[] {...}` becomes a view of constant data; the JIT expands this.</summary>
    [Intrinsic]
    public static ReadOnlySpan<T> CreateSpan<T>(RuntimeFieldHandle field) => CreateSpan<T>(field);

    /// <summary>Array initialisers; ilc turns constant ones into frozen arrays.</summary>
    [Intrinsic]
    public static void InitializeArray(Array array, RuntimeFieldHandle field) => InitializeArray(array, field);

    [Intrinsic]
    public static bool IsReferenceOrContainsReferences<T>() => IsReferenceOrContainsReferences<T>();

    public static int OffsetToStringData => 12;
}
