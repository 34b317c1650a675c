// The programs' wire with faults. QEMU's filter-redirector (qemu(1)) hands every frame between the card and the user network to this
// process and takes back what becomes of it: per direction one stream socket out of QEMU and one into it, each frame behind its length
// (u32, big endian). A thread reads each direction and never waits for the other end; another one hands frames over when they are due.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Net.Sockets;
using System.Threading;

namespace Lego.Racks;

/// <summary>Carries frames in both directions.</summary>
internal sealed class WireForwarder : IDisposable
{
    /// <summary>The command of the rack tool that is a wire.</summary>
    public const string CommandName = "wire";
    private const int MostFrameBytes = 65536;
    private static readonly string[] s_directions = ["rx", "tx"];

    private readonly List<Socket> _listeners = [];
    private readonly List<Thread> _threads = [];
    private readonly long _start = Stopwatch.GetTimestamp();

    /// <summary>Listens in the rack's directory and begins to forward when QEMU has connected.</summary>
    public WireForwarder(string directory, WireFaults faults, ulong seed)
    {
        foreach (string direction in s_directions)
        {
            Socket output = Listen(FromQemu(directory, direction));
            Socket input = Listen(ToQemu(directory, direction));
            FaultyWire wire = new(faults, seed++);
            Start(() => Forward(wire, output, input), direction);
        }
    }

    /// <summary>The tool's arguments that start the wire of a rack.</summary>
    public static string[] ArgumentsFor(WireFaults faults, ulong seed, string directory) =>
        [CommandName, directory, faults.ToString(), seed.ToString(CultureInfo.InvariantCulture)];

    /// <summary>The last socket that comes into being: when it is there, QEMU may be started.</summary>
    public static string LastSocket(string directory) => ToQemu(directory, s_directions[^1]);

    /// <summary>QEMU's arguments for a wire of that -netdev which is carried by this process.</summary>
    public static IEnumerable<string> Arguments(string directory, string network)
    {
        foreach (string direction in s_directions)
        {
            yield return "-chardev";
            yield return $"socket,id=wire-{direction}-out,path={QemuCommandLine.Escape(FromQemu(directory, direction))}";
            yield return "-chardev";
            yield return $"socket,id=wire-{direction}-in,path={QemuCommandLine.Escape(ToQemu(directory, direction))}";
            yield return "-object";
            yield return $"filter-redirector,id=wire-{direction},netdev={network},queue={direction},"
                + $"outdev=wire-{direction}-out,indev=wire-{direction}-in";
        }
    }

    /// <summary>Returns when QEMU has gone.</summary>
    public void WaitForEnd() => _threads.ForEach(thread => thread.Join());

    public void Dispose() => _listeners.ForEach(listener => listener.Dispose());

    private static string FromQemu(string directory, string direction) => Path.Combine(directory, $"wire-{direction}-out");

    private static string ToQemu(string directory, string direction) => Path.Combine(directory, $"wire-{direction}-in");

    private Socket Listen(string path)
    {
        // It has its name only when it listens: who finds it there may connect.
        string unready = path + ".new";
        Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(unready));
        listener.Listen(1);
        File.Move(unready, path, overwrite: true);
        _listeners.Add(listener);
        return listener;
    }

    private void Start(ThreadStart body, string name)
    {
        Thread thread = new(body) { IsBackground = true, Name = name };
        thread.Start();
        _threads.Add(thread);
    }

    private TimeSpan Now => Stopwatch.GetElapsedTime(_start);

    private void Forward(FaultyWire wire, Socket output, Socket input)
    {
        try
        {
            using Socket from = output.Accept();
            using Socket to = input.Accept();
            using NetworkStream reading = new(from);
            Thread delivery = new(() => Deliver(wire, to)) { IsBackground = true };
            delivery.Start();
            byte[] frame = new byte[MostFrameBytes];
            while (true)
            {
                reading.ReadExactly(frame, 0, sizeof(uint));
                int length = checked((int)BinaryPrimitives.ReadUInt32BigEndian(frame));
                reading.ReadExactly(frame, 0, length);
                lock (wire)
                {
                    wire.Send(frame.AsSpan(0, length), Now);
                    Monitor.Pulse(wire);
                }
            }
        }
        catch (Exception error) when (error is IOException or SocketException or ObjectDisposedException)
        {
            // The machine has gone, and its wire with it.
        }
    }

    private void Deliver(FaultyWire wire, Socket to)
    {
        try
        {
            while (true)
            {
                byte[] frame = WaitForFrame(wire);
                byte[] length = new byte[sizeof(uint)];
                BinaryPrimitives.WriteUInt32BigEndian(length, (uint)frame.Length);
                to.Send([length, frame]);
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // As above.
        }
    }

    private byte[] WaitForFrame(FaultyWire wire)
    {
        lock (wire)
        {
            while (true)
            {
                if (wire.TryReceive(Now, out TimeSpan? next) is { } frame)
                {
                    return frame;
                }

                // Waits are whole milliseconds; a delay of less than one is a short spin.
                TimeSpan wait = next is { } due ? due - Now : Timeout.InfiniteTimeSpan;
                Monitor.Wait(wire, wait > TimeSpan.Zero || next is null ? wait : TimeSpan.Zero);
            }
        }
    }
}
