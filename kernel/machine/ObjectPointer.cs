// How unmanaged memory refers to an object: a thread to what it runs, a process to the table that it stands in. Objects of the images are
// made at boot, never move and never go away (ManagedHeap.cs), so their address is a name for them that a struct in a slab may keep. The
// host's objects do move: tests/unit/host has a stand-in.

using System.Runtime.CompilerServices;

namespace Lego.Kernel;

/// <summary>The address of an object made at boot. Zero-initialised = none.</summary>
public readonly struct ObjectPointer<T> where T : class
{
    private readonly nint _address;

    public ObjectPointer(T target)
    {
        _address = Unsafe.As<T, nint>(ref target);
    }

    /// <summary>True when there is no object.</summary>
    public bool IsNull => _address == 0;

    /// <summary>The object; null when there is none.</summary>
    public T Target
    {
        get
        {
            nint address = _address;
            return Unsafe.As<nint, T>(ref address);
        }
    }
}
