// A client of QEMU's machine protocol (QMP, docs/interop/qmp-spec: one JSON object per line; qmp_capabilities first). For what no image can
// answer itself: attaching a debugger, reading a machine's memory from outside.

using System;
using System.Collections.Generic;
using System.IO;
using System.Net.Sockets;
using System.Text.Json;
using System.Threading.Tasks;

namespace Lego.Racks;

/// <summary>One machine's QMP connection. QEMU serves one client at a time.</summary>
internal sealed class MachineMonitor : IDisposable
{
    private readonly Socket _socket;
    private readonly StreamReader _reader;
    private readonly StreamWriter _writer;

    private MachineMonitor(Socket socket)
    {
        _socket = socket;
        NetworkStream stream = new(socket);
        _reader = new StreamReader(stream);
        _writer = new StreamWriter(stream) { AutoFlush = true };
    }

    /// <summary>Connects to the socket that QEMU listens on.</summary>
    public static async Task<MachineMonitor> ConnectAsync(string path)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException error)
        {
            socket.Dispose();
            throw ToolException.Host($"the machine's monitor {path} does not answer: {error.Message}");
        }

        MachineMonitor monitor = new(socket);
        await monitor._reader.ReadLineAsync();
        await monitor.ExecuteAsync("qmp_capabilities", new { });
        return monitor;
    }

    /// <summary>Runs a QMP command; the JSON text of its result.</summary>
    public async Task<string> ExecuteAsync(string command, object arguments)
    {
        await _writer.WriteLineAsync(JsonSerializer.Serialize(new { execute = command, arguments }));
        while (await _reader.ReadLineAsync() is { } line)
        {
            using JsonDocument message = JsonDocument.Parse(line);
            if (message.RootElement.TryGetProperty("error", out JsonElement error))
            {
                throw ToolException.Host($"the machine's monitor refused {command}: {error.GetProperty("desc").GetString()}");
            }

            if (message.RootElement.TryGetProperty("return", out JsonElement result))
            {
                return result.GetRawText();
            }
            // Anything else is an event.
        }

        throw ToolException.Host($"the machine ended during {command}");
    }

    /// <summary>Runs a command of the human monitor, for what QMP itself lacks.</summary>
    public Task<string> ExecuteHumanAsync(string commandLine) =>
        ExecuteAsync("human-monitor-command", new Dictionary<string, string> { ["command-line"] = commandLine });

    public void Dispose()
    {
        _reader.Dispose();
        _writer.Dispose();
        _socket.Dispose();
    }
}
