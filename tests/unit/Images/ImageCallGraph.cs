// The call graph of a linked image, read from its disassembly (objdump): which function calls which directly, and which functions have
// their address taken (vtables, function pointers), so that an indirect call may reach them.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Text.RegularExpressions;

namespace Lego.Tests.Images;

/// <summary>Functions of one ELF image and the calls between them.</summary>
internal sealed class ImageCallGraph
{
    private static readonly Regex s_function = new(@"^[0-9a-f]+ <(?<name>.+)>:$");
    private static readonly Regex s_directCall = new(@"\b(call|jmp|j[a-z]+)\s+[0-9a-f]+ <(?<target>[^+>]+)>");
    private static readonly Regex s_address = new(@"<(?<target>[^+>]+)>\s*$");
    private static readonly Regex s_symbol = new(@"^(?<address>[0-9a-f]{16}) [tT] (?<name>.+)$");

    private readonly Dictionary<string, HashSet<string>> _callers = new();

    private ImageCallGraph()
    {
    }

    /// <summary>Functions whose address stands in data or is loaded by an instruction.</summary>
    public HashSet<string> AddressTaken { get; } = new HashSet<string>();

    /// <summary>All functions.</summary>
    public HashSet<string> Functions { get; } = new HashSet<string>();

    public static ImageCallGraph Read(string image)
    {
        ImageCallGraph graph = new();
        string current = "";
        foreach (string line in Run("objdump", "-d", "--no-show-raw-insn", image))
        {
            Match function = s_function.Match(line);
            if (function.Success)
            {
                current = function.Groups["name"].Value;
                graph.Functions.Add(current);
                continue;
            }

            Match call = s_directCall.Match(line);
            if (call.Success)
            {
                graph.AddCall(current, call.Groups["target"].Value);
                continue;
            }
            // lea of a function: somebody may call it through a pointer.
            Match address = s_address.Match(line);
            if (address.Success)
            {
                graph.AddressTaken.Add(address.Groups["target"].Value);
            }
        }

        graph.FindAddressesInData(image);
        graph.AddressTaken.IntersectWith(graph.Functions);
        return graph;
    }

    /// <summary>Every function that reaches one of the targets through direct calls, the targets included.</summary>
    public HashSet<string> ReachingDirectly(Predicate<string> isTarget)
    {
        HashSet<string> reached = new();
        Queue<string> open = new();
        foreach (string function in Functions)
        {
            if (isTarget(function) && reached.Add(function))
            {
                open.Enqueue(function);
            }
        }

        while (open.TryDequeue(out string? function))
        {
            if (!_callers.TryGetValue(function, out HashSet<string>? callers))
            {
                continue;
            }

            foreach (string caller in callers)
            {
                if (reached.Add(caller))
                {
                    open.Enqueue(caller);
                }
            }
        }

        return reached;
    }

    private void AddCall(string caller, string callee)
    {
        if (!_callers.TryGetValue(callee, out HashSet<string>? callers))
        {
            _callers[callee] = callers = new HashSet<string>();
        }

        callers.Add(caller);
    }

    /// <summary>Scans constants and data for 8-byte words that are the address of a function.</summary>
    private void FindAddressesInData(string image)
    {
        Dictionary<ulong, string> byAddress = new();
        foreach (string line in Run("nm", image))
        {
            Match symbol = s_symbol.Match(line);
            if (symbol.Success)
            {
                byAddress[ulong.Parse(symbol.Groups["address"].Value, NumberStyles.HexNumber,
                    CultureInfo.InvariantCulture)] = symbol.Groups["name"].Value;
            }
        }

        byte[] bytes = ReadConstantsAndData(image);
        for (int offset = 0; offset + sizeof(ulong) <= bytes.Length; offset += sizeof(ulong))
        {
            if (byAddress.TryGetValue(BitConverter.ToUInt64(bytes, offset), out string? name))
            {
                AddressTaken.Add(name);
            }
        }
    }

    /// <summary>The sections that the image itself reads; the symbol table would name every function.</summary>
    private static byte[] ReadConstantsAndData(string image)
    {
        string copy = Path.GetTempFileName();
        try
        {
            foreach (string line in Run("objcopy", "-O", "binary", "-j", ".rodata", "-j", ".data", image, copy))
            {
                throw new InvalidOperationException(line);
            }

            return File.ReadAllBytes(copy);
        }
        finally
        {
            File.Delete(copy);
        }
    }

    private static IEnumerable<string> Run(string program, params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })
            ?? throw new InvalidOperationException($"{program} did not start");
        while (process.StandardOutput.ReadLine() is { } line)
        {
            yield return line;
        }

        process.WaitForExit();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} failed with status {process.ExitCode}");
        }
    }
}
