// A Linux machine beside the rack, under the same QEMU flags as the rack's machines and on an ext4 volume with the same files, told over
// its first serial port what to run (tools/bench/guest.c). It has the memory of the whole rack, and goes with its object.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Lego.Tool;

/// <summary>A booted Linux guest.</summary>
internal sealed class LinuxGuest : IAsyncDisposable
{
    private const string Ready = "READY";
    private const string Failed = "FAILED ";
    private const string Status = "STATUS ";
    private static readonly TimeSpan s_bootLimit = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan s_retry = TimeSpan.FromMilliseconds(50);

    private readonly ScratchDirectory _folder;
    private readonly Process _process;
    private readonly Socket _socket;
    private readonly NetworkStream _stream;
    private readonly StreamReader _reader;

    private LinuxGuest(ScratchDirectory folder, Process process, Socket socket)
    {
        _folder = folder;
        _process = process;
        _socket = socket;
        _stream = new NetworkStream(socket);
        _reader = new StreamReader(_stream, Encoding.UTF8);
    }

    /// <summary>Boots a kernel to its volume, which the machine changes, with the memory and the programs' card of a rack.</summary>
    public static async Task<LinuxGuest> BootAsync(
        LinuxKernel kernel, string volumePath, RackDescription rack, Accelerator accelerator, MachineStarter starter,
        CancellationToken cancellation)
    {
        ScratchDirectory folder = new("linux");
        string port = Path.Combine(folder.Path, "port");
        string messages = Path.Combine(folder.Path, "messages");
        long memoryBytes = rack.Components.Sum(component => component.MemoryBytes);
        List<string> line =
        [
            .. QemuCommandLine.Common("linux-guest", accelerator, cpus: 1, ComponentDescription.DefaultVectors, memoryBytes,
                runsPrograms: true),
            .. CardArguments.Programs(rack.Network, rack.ProgramsComponent, []),
            "-kernel", kernel.KernelPath,
            "-initrd", kernel.InitialFilesPath,
            "-append", "console=ttyS0 quiet panic=-1 tsc=reliable clocksource=tsc",
            "-serial", $"unix:{port},server=on,wait=off",
            .. QemuCommandLine.Disk(volumePath),
        ];
        Process process = await starter.StartAsync(QemuCommandLine.Program, line, messages);
        LinuxGuest guest = new(folder, process, await ConnectAsync(port, process, messages, cancellation));
        try
        {
            await guest.ReadUntilAsync(Ready, s_bootLimit, cancellation);
            if (rack.Network.Kind == NetworkKind.User)
            {
                string[] address = ["/sbin/ifconfig", "eth0", CardArguments.UserAddress, "netmask", CardArguments.UserNetmask];
                await guest.RunAsync(address, s_bootLimit, cancellation);
                await guest.RunAsync(["/sbin/route", "add", "default", "gw", CardArguments.UserRouter], s_bootLimit, cancellation);
            }

            return guest;
        }
        catch
        {
            await guest.DisposeAsync();
            throw;
        }
    }

    /// <summary>Runs a program, whose words have no blanks; its output, errors among it.</summary>
    public async Task<ProgramResult> RunAsync(IReadOnlyList<string> words, TimeSpan limit, CancellationToken cancellation)
    {
        await _stream.WriteAsync(Encoding.UTF8.GetBytes(string.Join(' ', words) + "\n"), cancellation);
        (string output, string last) = await ReadUntilAsync(Status, limit, cancellation);
        return new ProgramResult(int.Parse(last.AsSpan(Status.Length)), output, "");
    }

    public async ValueTask DisposeAsync()
    {
        _reader.Dispose();
        await _stream.DisposeAsync();
        _socket.Dispose();
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _folder.Dispose();
    }

    private static async Task<Socket> ConnectAsync(string port, Process process, string messages, CancellationToken cancellation)
    {
        while (true)
        {
            Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(port), cancellation);
                return socket;
            }
            catch (SocketException) when (!process.HasExited)
            {
                socket.Dispose();
                await Task.Delay(s_retry, cancellation);
            }
            catch (SocketException)
            {
                socket.Dispose();
                throw ToolException.Host($"the Linux guest did not start: {(await File.ReadAllTextAsync(messages, cancellation)).Trim()}");
            }
        }
    }

    /// <summary>What stands before the line that begins with <paramref name="mark"/>, and that line.</summary>
    private async Task<(string Before, string Line)> ReadUntilAsync(string mark, TimeSpan limit, CancellationToken cancellation)
    {
        using CancellationTokenSource timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(limit);
        StringBuilder before = new();
        try
        {
            while (await _reader.ReadLineAsync(timeout.Token) is { } line)
            {
                line = line.TrimEnd('\r');
                if (line.StartsWith(mark, StringComparison.Ordinal))
                {
                    return (before.ToString(), line);
                }

                before.Append(line).Append('\n');
                if (line.StartsWith(Failed, StringComparison.Ordinal))
                {
                    throw ToolException.Host($"the Linux guest did not come up: {line[Failed.Length..]}");
                }
            }
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw ToolException.Host($"the Linux guest did not answer in {limit.TotalSeconds} s; it said: {before.ToString().Trim()}");
        }

        throw ToolException.Host($"the Linux guest has ended; it said: {before.ToString().Trim()}");
    }
}
