// A disk in a host file, for tests of the storage component.

using System;
using System.IO;
using Lego.Kernel;
using Microsoft.Win32.SafeHandles;

namespace Lego.Tests.Storage;

/// <summary>Sectors of a file; can be made to fail.</summary>
public sealed unsafe class FileBlockDevice(string path) : BlockDevice, IDisposable
{
    private readonly SafeFileHandle _file = File.OpenHandle(path, System.IO.FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);

    /// <summary>Counts reads and writes down to 0; from then on every one is EIO. Negative: never.</summary>
    public int OperationsUntilFailure { get; set; } = -1;

    public override ulong SectorCount => (ulong)RandomAccess.GetLength(_file) / SectorSize;

    public override bool ReadOnly => false;

    public override Errno Read(ulong sector, void* buffer, uint lengthBytes)
    {
        if (!IsWithin(sector, lengthBytes))
        {
            return Errno.EINVAL;
        }

        if (Fails())
        {
            return Errno.EIO;
        }

        int read = RandomAccess.Read(_file, new Span<byte>(buffer, (int)lengthBytes), (long)(sector * SectorSize));
        return read == (int)lengthBytes ? Errno.None : Errno.EIO;
    }

    public override Errno Write(ulong sector, void* buffer, uint lengthBytes)
    {
        if (!IsWithin(sector, lengthBytes))
        {
            return Errno.EINVAL;
        }

        if (Fails())
        {
            return Errno.EIO;
        }

        RandomAccess.Write(_file, new ReadOnlySpan<byte>(buffer, (int)lengthBytes), (long)(sector * SectorSize));
        return Errno.None;
    }

    /// <summary>How often stable storage was asked for.</summary>
    public int Flushes { get; private set; }

    public override Errno Flush()
    {
        Flushes++;
        return Errno.None;
    }

    public void Dispose() => _file.Dispose();

    private bool Fails()
    {
        if (OperationsUntilFailure > 0)
        {
            OperationsUntilFailure--;
        }

        return OperationsUntilFailure == 0;
    }

    private bool IsWithin(ulong sector, uint lengthBytes) =>
        lengthBytes % SectorSize == 0 && sector <= SectorCount && lengthBytes / SectorSize <= SectorCount - sector;
}
