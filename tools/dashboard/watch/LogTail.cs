// New lines of the components' serial logs, as they are written.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Lego.Tool;

namespace Lego.Dashboard;

/// <summary>Follows the logs of one rack.</summary>
internal sealed class LogTail(string? rack)
{
    /// <summary>Of a log that has grown by more since the last look, only the end.</summary>
    private const int MostBytes = 32 << 10;

    private readonly string _directory = Path.Combine(HostPaths.Racks, RackDirectory.UpNameOf(rack));
    private readonly Dictionary<string, long> _read = [];

    /// <summary>Whole lines that have come since the last call, in the order of the components.</summary>
    public IReadOnlyList<object> ReadNew(IReadOnlyList<ComponentSample> components) =>
        [.. components.SelectMany(c => ReadNew(c.Component.Name))];

    private List<LogEntry> ReadNew(string component)
    {
        try
        {
            string path = Path.Combine(_directory, $"{component}.log");
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            long from = _read.GetValueOrDefault(component);
            // The log of a machine that was started anew may begin anew.
            from = from > file.Length ? 0 : from;
            file.Position = long.Max(from, file.Length - MostBytes);
            byte[] bytes = new byte[file.Length - file.Position];
            int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            int whole = bytes.AsSpan(0, length).LastIndexOf((byte)'\n') + 1;
            _read[component] = file.Position - length + whole;
            return [.. Encoding.UTF8.GetString(bytes, 0, whole).Split('\n').Select(line => line.TrimEnd('\r'))
                .Where(line => line.Length > 0).Select(line => new LogEntry(component, line))];
        }
        catch (IOException)
        {
            // It has not written anything yet, or its rack has just gone.
            return [];
        }
    }
}
