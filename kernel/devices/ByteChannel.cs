// A stream of bytes to and from the host: the control channel of a component (virtio-serial). Non-blocking in both directions. Its user
// polls it (a device does not register itself); Poll is true when there is something to read, room to write, or the far end came or went.

using System;

namespace Lego.Kernel;

/// <summary>Both directions move as many bytes as they can now.</summary>
public abstract unsafe class ByteChannel : PollSource
{
    /// <summary>True while somebody is attached at the far end; bytes written without one are lost.</summary>
    public abstract bool Connected { get; }

    /// <summary>Takes a prefix of the bytes for sending and returns its length; 0 when there is no room.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract int Write(ReadOnlySpan<byte> bytes);

    /// <summary>Moves received bytes into the buffer and returns how many; 0 when none are there.</summary>
    [NoBlock]
    [NoAllocation]
    public abstract int Read(Span<byte> bytes);
}
