// One QEMU machine that boots the suites image with every device that its cases use: a scratch disk, an ext4 volume, an entropy device, a
// pair of network cards of each model, a shared region with a ring header, two pci-serial functions whose sockets are joined, and a control
// channel at whose far end this class echoes. Everything lies in a folder of its own, which goes away with the machine.

using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net.Sockets;
using System.Threading.Tasks;

namespace Lego.Rack.Tests.Suites;

/// <summary>How one case ended.</summary>
public sealed record CaseResult(string Name, string Verdict);

/// <summary>What a run of the image printed.</summary>
public sealed record SuitesResult(int ExitStatus, IReadOnlyList<CaseResult> Cases, string Log, string VolumeProblems);

/// <summary>Boots the image and collects its results.</summary>
public static class SuitesMachine
{
    private const int DiskBytes = 16 << 20;
    private const string VolumeSize = "64M";
    private const int RegionBytes = 4 << 20;
    private const int HeaderBytes = 40;
    private static readonly TimeSpan s_limit = HostSpeed.Scale(TimeSpan.FromSeconds(90));

    /// <summary>Runs the cases whose names begin with the filter.</summary>
    public static async Task<SuitesResult> RunAsync(string filter, int cpus, string bootWords = "")
    {
        string folder = Directory.CreateTempSubdirectory("lego-suites-").FullName;
        try
        {
            string image = Path.Combine(RepositoryRoot(), "out", "images", "suites.elf");
            string log = Path.Combine(folder, "log");
            using (FileStream disk = File.Create(Path.Combine(folder, "disk")))
            {
                disk.SetLength(DiskBytes);
            }

            string volume = Path.Combine(folder, "volume");
            await RunHostToolAsync("mke2fs", "-q", "-t", "ext4", volume, VolumeSize);
            WriteRegion(Path.Combine(folder, "region"));
            ProcessStartInfo start = new("qemu-system-x86_64",
                Arguments(image, folder, $"component=suites name=t0 node=1 filter={filter} {bootWords}", cpus))
            {
                RedirectStandardError = true,
                RedirectStandardInput = true,
            };
            using Process process = Process.Start(start)!;
            Task<string> complaints = process.StandardError.ReadToEndAsync();
            Task echo = EchoAsync(Path.Combine(folder, "control"), process);
            string hang = "";
            try
            {
                await process.WaitForExitAsync().WaitAsync(s_limit);
            }
            catch (TimeoutException)
            {
                hang = $"the machine hangs: no end within {s_limit.TotalSeconds} s; the log's last case is the one before";
            }
            finally
            {
                process.Kill();
            }

            await process.WaitForExitAsync();
            await echo;
            string text = File.Exists(log) ? await File.ReadAllTextAsync(log) : "";
            string problems = await RunHostToolAsync("e2fsck", "-fn", volume);
            return new SuitesResult(process.ExitCode, Parse(text), text + await complaints + hang, problems);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static List<string> Arguments(string image, string folder, string bootLine, int cpus) =>
    [
        "-machine", "pc", "-cpu", "max,-erms", "-accel", "tcg", "-m", "64M", "-smp", $"{cpus}",
        "-no-user-config", "-nodefaults", "-no-reboot", "-display", "none",
        "-kernel", image, "-append", bootLine, "-serial", $"file:{folder}/log", "-device", "isa-debug-exit,iobase=0xf4,iosize=4",
        "-chardev", $"socket,id=control,path={folder}/control,server=on,wait=off",
        "-device", "virtio-serial-pci,disable-legacy=on,max_ports=2", "-device", "virtserialport,chardev=control,name=control,nr=1",
        "-device", "virtio-rng-pci,disable-legacy=on",
        "-drive", $"if=none,id=disk,format=raw,cache=writeback,file={folder}/disk", "-device",
        "virtio-blk-pci,disable-legacy=on,drive=disk",
        "-drive", $"if=none,id=volume,format=raw,cache=writeback,file={folder}/volume", "-device",
        "virtio-blk-pci,disable-legacy=on,drive=volume",
        .. CardPair(0, "virtio-net-pci,disable-legacy=on,host_mtu=9000"), .. CardPair(1, "e1000,mitigation=off"),
        "-object", $"memory-backend-file,id=region,share=on,size={RegionBytes},mem-path={folder}/region",
        "-device", "ivshmem-plain,memdev=region",
        // Slots four apart share an interrupt line.
        "-chardev", $"socket,id=bell0,path={folder}/bell,server=on,wait=off", "-device", "pci-serial,chardev=bell0,addr=19",
        "-chardev", $"socket,id=bell1,path={folder}/bell", "-device", "pci-serial,chardev=bell1,addr=1d",
    ];

    /// <summary>Runs a tool of e2fsprogs; empty when it is content, else what it printed.</summary>
    private static async Task<string> RunHostToolAsync(string name, params string[] arguments)
    {
        string full = Path.Combine("/usr/sbin", name);
        ProcessStartInfo start = new(File.Exists(full) ? full : name, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using Process process = Process.Start(start)!;
        Task<string> complaints = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync() + await complaints;
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? "" : output;
    }

    /// <summary>Two cards of a model, joined by a hub. Their addresses are those of an ethernet link, whose frames are long.</summary>
    private static string[] CardPair(int hub, string model) => [.. Enumerable.Range(2 * hub, 2).SelectMany(port => new[]
    {
        "-netdev", $"hubport,id=port{port},hubid={hub}",
        "-device", $"{model},netdev=port{port},mac=52:54:00:4c:00:0{port + 1},romfile=",
    })];

    /// <summary>Two rings of one megabyte each; kernel/devices/RingRegionHeader.cs has the layout.</summary>
    private static void WriteRegion(string path)
    {
        byte[] header = new byte[HeaderBytes];
        BinaryPrimitives.WriteUInt32LittleEndian(header, 0x474E5252);
        BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(4), 1);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(8), 1);
        BinaryPrimitives.WriteUInt16LittleEndian(header.AsSpan(10), 2);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(16), 4096);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(24), 2 << 20);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(32), 1 << 20);
        using FileStream file = File.Create(path);
        file.Write(header);
        file.SetLength(RegionBytes);
    }

    /// <summary>Sends back what comes from the control channel, until the machine ends.</summary>
    private static async Task EchoAsync(string path, Process machine)
    {
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        byte[] buffer = new byte[65_536];
        try
        {
            while (!socket.Connected && !machine.HasExited)
            {
                try
                {
                    await socket.ConnectAsync(new UnixDomainSocketEndPoint(path));
                }
                catch (SocketException)
                {
                    // QEMU has not made the socket yet.
                    await Task.Delay(10);
                }
            }

            while (await socket.ReceiveAsync(buffer) is int count and > 0)
            {
                for (int sent = 0; sent < count;)
                {
                    sent += await socket.SendAsync(buffer.AsMemory(sent, count - sent));
                }
            }
        }
        catch (SocketException)
        {
            // The machine has ended.
        }
    }

    private static List<CaseResult> Parse(string log)
    {
        List<CaseResult> cases = [];
        foreach (string line in log.Split('\n'))
        {
            if (line.Split(' ') is ["CASE", string name, string verdict, _])
            {
                cases.Add(new CaseResult(name, verdict));
            }
        }

        return cases;
    }

    private static string RepositoryRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder != null && !File.Exists(Path.Combine(folder.FullName, "LegoKernel.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("LegoKernel.sln not found above the test binaries");
    }
}
