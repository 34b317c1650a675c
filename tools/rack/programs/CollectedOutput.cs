// One output stream of a program, kept for whoever asks: all that has come, a copy to another stream, and those who wait for a text in it.

using System;
using System.Collections.Generic;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Mono.Unix.Native;

namespace Lego.Racks;

/// <summary>Collects what a program prints.</summary>
internal sealed class CollectedOutput(Stream? copy)
{
    private readonly Lock _lock = new();
    private readonly MemoryStream _bytes = new();
    private readonly List<(string Text, TaskCompletionSource Found)> _waiting = [];

    /// <summary>All that has come, as UTF-8.</summary>
    public string Text
    {
        get
        {
            lock (_lock)
            {
                return Encoding.UTF8.GetString(_bytes.GetBuffer(), 0, (int)_bytes.Length);
            }
        }
    }

    /// <summary>Takes what has come; a copy that cannot be written is an input/output error of the program's.</summary>
    public Errno Add(ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            _bytes.Write(bytes);
            if (_waiting.Count > 0)
            {
                string text = Text;
                foreach ((string _, TaskCompletionSource found) in _waiting.FindAll(w => text.Contains(w.Text, StringComparison.Ordinal)))
                {
                    found.TrySetResult();
                }

                _waiting.RemoveAll(w => w.Found.Task.IsCompleted);
            }
        }

        try
        {
            copy?.Write(bytes);
            copy?.Flush();
            return 0;
        }
        catch (IOException)
        {
            return Errno.EIO;
        }
    }

    /// <summary>Completes when the text has come; never, when it does not.</summary>
    public Task WaitForAsync(string text)
    {
        lock (_lock)
        {
            if (Text.Contains(text, StringComparison.Ordinal))
            {
                return Task.CompletedTask;
            }

            TaskCompletionSource found = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Add((text, found));
            return found.Task;
        }
    }
}
