// A file that one process holds (flock(2), which .NET takes for FileShare.None). The kernel drops the lock when its holder dies, however it
// dies, so a free lock is the proof that an owner is gone; process ids, which are reused, prove nothing.

using System;
using System.IO;
using System.Threading;

namespace Lego.Racks;

/// <summary>Takes and holds lock files.</summary>
internal sealed class LockFile : IDisposable
{
    private const int RetryMs = 10;

    private readonly FileStream _file;

    private LockFile(FileStream file)
    {
        _file = file;
    }

    /// <summary>Takes the lock, or returns null when another process has it (or the directory is gone).</summary>
    public static LockFile? TryTake(string path)
    {
        try
        {
            return new LockFile(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Waits for the lock; fails with <paramref name="sentence"/> after the given time.</summary>
    public static LockFile Take(string path, TimeSpan limit, string sentence)
    {
        long end = Environment.TickCount64 + (long)limit.TotalMilliseconds;
        while (true)
        {
            if (TryTake(path) is { } taken)
            {
                return taken;
            }

            if (Environment.TickCount64 > end)
            {
                throw ToolException.Host(sentence);
            }

            Thread.Sleep(RetryMs);
        }
    }

    public void Dispose() => _file.Dispose();
}
