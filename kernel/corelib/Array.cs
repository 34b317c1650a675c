// Arrays and strings as ilc lays them out: the length follows the MethodTable pointer. Both exist as frozen data or are made at boot.

using System.Runtime.CompilerServices;

namespace System;

public abstract class Array
{
    // First field of every array; the name is ilc's.
    internal int _numComponents;

    public int Length => _numComponents;
}

internal class Array<T> : Array
{
}

public sealed class String
{
    // Names are ilc's; its preinitialiser looks them up.
    private readonly int _stringLength;
    private char _firstChar;

    public int Length => _stringLength;

    public char this[int index]
    {
        get
        {
            if ((uint)index >= (uint)_stringLength)
            {
                Internal.Runtime.CompilerHelpers.ThrowHelpers.ThrowIndexOutOfRangeException();
            }

            return Unsafe.Add(ref _firstChar, index);
        }
    }
}
