// The program loader on real static programs (busybox, and what the host's compilers make) and on hostile files: every byte of
// every segment, the interpreter that a program names, and an error for everything else.

using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Text;
using Lego.Fabric.Messages;
using Lego.Kernel;
using Lego.Memory;
using Xunit;

namespace Lego.Tests.Memory;

public sealed unsafe class ProgramLoaderTests
{
    private const ulong Page = PageOperations.PageSize;
    private const string Source = """
        #include <stdio.h>
        #include <stdlib.h>
        static char big[300000]; static int data[5000] = {1, 2, 3}; __thread int local = 5;
        int main(int argc, char **argv) { big[argc] = 1; printf("%d %d %s\n", data[argc], local, argv[0]); return big[0]; }
        """;

    public static TheoryData<string> Programs
    {
        get
        {
            TheoryData<string> found = [];
            string[] wanted = ["busybox", "gcc -static", "gcc -static-pie", "gcc -static -O2 -Wl,-z,noseparate-code", "musl-gcc -static"];
            foreach (string name in wanted)
            {
                if (PathOf(name) != null)
                {
                    found.Add(name);
                }
            }
            // Always at least one: the smallest program, written by hand.
            found.Add("tiny");
            return found;
        }
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public void Every_byte_of_every_segment_is_where_the_file_says(string name)
    {
        byte[] bytes = Load(name);
        using MemoryFixture fixture = new(64);
        fixture.Store.Add("/program", bytes);
        AddressSpace* space = Execute(fixture, "/program", out ExecuteReply reply, out Errno error);
        Assert.Equal(Errno.None, error);
        ulong bias = BitConverter.ToUInt16(bytes, 16) == 3 ? AddressLayout.PositionIndependentBase : 0;
        Assert.Equal(BitConverter.ToUInt64(bytes, 24) + bias, reply.InstructionPointer);
        ulong highest = 0;
        foreach ((ulong address, ulong offset, ulong fileBytes, ulong memoryBytes, uint flags) in Segments(bytes))
        {
            ulong start = address + bias;
            highest = Math.Max(highest, start + memoryBytes);
            for (ulong page = start & ~(Page - 1); page < start + memoryBytes; page += Page)
            {
                byte[] actual = ReadPage(fixture, space, page, out Protection protection);
                Assert.Equal((flags & 4) != 0, (protection & Protection.Read) != 0);
                Assert.Equal((flags & 2) != 0, (protection & Protection.Write) != 0);
                Assert.Equal((flags & 1) != 0, (protection & Protection.Execute) != 0);
                for (ulong index = 0; index < Page; index++)
                {
                    ulong at = page + index;
                    if (at < start || at >= start + memoryBytes)
                    {
                        continue;
                    }

                    byte expected = at - start < fileBytes ? bytes[offset + (at - start)] : (byte)0;
                    if (actual[index] != expected)
                    {
                        Assert.Fail($"byte at {at:x} is {actual[index]}, not {expected}");
                    }
                }
            }
        }

        Assert.Equal(AddressLayout.PageUp(highest), reply.Break);
        fixture.Spaces.Destroy(space);
        Assert.Equal(0UL, fixture.Pool.AnonymousFrames);
    }

    [Fact]
    public void A_program_with_an_interpreter_is_mapped_with_it_and_starts_in_it()
    {
        using MemoryFixture fixture = new(64);
        byte[] program = WithInterpreter(Tiny(), "/lib/linker\0");
        byte[] linker = Movable(Tiny());
        fixture.Store.Add("/bin/program", program);
        fixture.Store.Add("/lib/linker", linker);
        AddressSpace* space = Execute(fixture, "/bin/program", out ExecuteReply reply, out Errno error);
        Assert.True(space == null);
        Assert.Equal(Errno.ELIBACC, error);
        Assert.Equal("/lib/linker", InterpreterOf(fixture, "/bin/program"));

        space = Execute(fixture, "/bin/program", out reply, out error, interpreter: "/lib/linker");
        Assert.Equal(Errno.None, error);
        ulong linkerStart = reply.InterpreterBase;
        Assert.True(linkerStart < AddressLayout.MapBase && linkerStart > AddressLayout.MapBase - (1UL << 20), $"{linkerStart:x}");
        Assert.Equal(linkerStart + 0x100, reply.InstructionPointer);
        Assert.Equal(0x40_0100UL, reply.Entry);
        Assert.Equal(0x40_0040UL, reply.ProgramHeaders);
        Assert.Equal(2U, reply.ProgramHeaderCount);
        Assert.Equal(AddressLayout.PageUp(0x40_5432), reply.Break);
        Assert.Equal(program[..0x1000], ReadPage(fixture, space, 0x40_0000, out _));
        Assert.Equal(linker[..0x1000], ReadPage(fixture, space, linkerStart, out _));
        Assert.Equal(ProgramBacking, VmaTree.Find(space, 0x40_0000)->Backing);
        Assert.Equal(LinkerBacking, VmaTree.Find(space, linkerStart)->Backing);
        fixture.Spaces.Destroy(space);
        Assert.Equal(0UL, fixture.Pool.AnonymousFrames);
    }

    [Fact]
    public void An_interpreter_with_a_place_of_its_own_gets_it_and_what_it_names_is_not_looked_at()
    {
        using MemoryFixture fixture = new(64);
        fixture.Store.Add("/program", WithInterpreter(Movable(Tiny()), "/linker\0"));
        fixture.Store.Add("/linker", WithInterpreter(Tiny(), "/another\0"));
        AddressSpace* space = Execute(fixture, "/program", out ExecuteReply reply, out Errno error, interpreter: "/linker");
        Assert.Equal(Errno.None, error);
        Assert.Equal(0x40_0100UL, reply.InstructionPointer);
        Assert.Equal(0UL, reply.InterpreterBase);
        Assert.Equal(AddressLayout.PositionIndependentBase + 0x100, reply.Entry);
        fixture.Spaces.Destroy(space);
    }

    [Fact]
    public void An_interpreter_that_is_no_program_or_has_no_name_is_refused()
    {
        using MemoryFixture fixture = new(64);
        fixture.Store.Add("/program", WithInterpreter(Movable(Tiny()), "/linker\0"));
        fixture.Store.Add("/text",
            Encoding.ASCII.GetBytes("#!/bin/sh\necho a text of more than sixty-four bytes, which is as long as an ELF header\n"));
        byte[] otherMachine = Movable(Tiny());
        otherMachine[18] = 183;
        fixture.Store.Add("/other", otherMachine);
        fixture.Store.Add("/same", WithInterpreter(Tiny(), "/linker\0"));
        fixture.Store.Add("/fixed", Tiny());
        fixture.Store.Add("/unterminated", WithInterpreter(Tiny(), "/linker"));
        foreach ((string program, string linker, Errno expected) in new[]
        {
            ("/program", "/text", Errno.ELIBBAD), ("/program", "/other", Errno.ELIBBAD), ("/same", "/fixed", Errno.ELIBBAD),
            ("/program", "/nothing", Errno.ESTALE),
        })
        {
            Execute(fixture, program, out _, out Errno error, interpreter: linker);
            Assert.Equal(expected, error);
        }

        Assert.Null(InterpreterOf(fixture, "/unterminated"));
        Assert.Equal(0UL, fixture.Spaces.Count);
        Assert.Equal(0UL, fixture.Pool.AnonymousFrames);
    }

    [Fact]
    public void Whatever_is_no_program_is_refused_and_leaves_nothing_behind()
    {
        using MemoryFixture fixture = new(64);
        fixture.Store.Add("/script", Encoding.ASCII.GetBytes("#!/bin/sh\necho hello\n"));
        fixture.Store.Add("/text", Encoding.ASCII.GetBytes("echo hello\n"));
        fixture.Store.Add("/empty", []);
        Assert.Equal(Errno.ENOEXEC, Fail(fixture, "/script"));
        Assert.Equal(Errno.ENOEXEC, Fail(fixture, "/text"));
        Assert.Equal(Errno.ENOEXEC, Fail(fixture, "/empty"));
        Assert.Equal(Errno.ESTALE, Fail(fixture, "/nothing"));
        Assert.Equal(0UL, fixture.Spaces.Count);
        Assert.Equal(0UL, fixture.Pool.AnonymousFrames);
    }

    [Theory]
    [InlineData("busybox", 400)]
    [InlineData("tiny", 1200)]
    public void Truncated_and_mutated_programs_are_loaded_or_refused_but_never_harm(string name, int mutations)
    {
        byte[] original = PathOf(name) != null || name == "tiny" ? Load(name) : Tiny();
        using MemoryFixture fixture = new(64);
        FakeFileStore.StoredFile stored = fixture.Store.Add("/program", original);
        Random random = new(2024);
        int refused = 0;
        for (int round = 0; round < mutations; round++)
        {
            stored.Bytes = Mutate(random, original);
            // A new generation of the file: nothing of the last round is in the cache.
            CachedFile* file = fixture.Files.Find(MemoryFixture.Storage, FakeFileStore.HandleOf(stored));
            if (file != null)
            {
                fixture.Files.Forget(file);
            }

            AddressSpace* space = Execute(fixture, "/program", out ExecuteReply reply, out Errno error);
            Assert.Contains(error, new[] { Errno.None, Errno.ENOEXEC, Errno.ELIBACC });
            if (error != Errno.None)
            {
                refused++;
                continue;
            }

            Assert.True(reply.InstructionPointer < AddressLayout.TaskSize);
            fixture.Spaces.Destroy(space);
        }

        Assert.True(refused > mutations / 10);
        Assert.Equal(0UL, fixture.Spaces.Count);
        Assert.Equal(0UL, fixture.Pool.AnonymousFrames);
    }

    /// <summary>Truncates, or changes a few bytes or fields of the headers.</summary>
    private static byte[] Mutate(Random random, byte[] original)
    {
        if (random.Next(8) == 0)
        {
            return original.AsSpan(0, random.Next(3) == 0 ? random.Next(200) : random.Next(original.Length)).ToArray();
        }

        byte[] bytes = (byte[])original.Clone();
        int headers = Math.Min(bytes.Length, 64 + (BitConverter.ToUInt16(bytes, 56) * 56));
        for (int changes = random.Next(1, 4); changes > 0; changes--)
        {
            ulong[] extremes = [0, 1, 0xFFF, 0x1000, 0x7FFF_FFFF_F000, 0x8000_0000_0000, ulong.MaxValue, ulong.MaxValue - 0xFFF, 1UL << 63];
            int field = random.Next(0, (headers / 8) - 1) * 8;
            switch (random.Next(3))
            {
                case 0:
                    bytes[random.Next(headers)] = (byte)random.Next(256);
                    break;
                case 1:
                    BitConverter.TryWriteBytes(bytes.AsSpan(field), extremes[random.Next(extremes.Length)]);
                    break;
                default:
                    bytes[random.Next(headers)] ^= (byte)(1 << random.Next(8));
                    break;
            }
        }

        return bytes;
    }

    private const uint ProgramBacking = 3;
    private const uint LinkerBacking = 4;

    private static AddressSpace* Execute(MemoryFixture fixture, string path, out ExecuteReply reply, out Errno error,
        string interpreter = "")
    {
        byte[] file = Encoding.UTF8.GetBytes("/canonical" + path);
        ExecuteRequest request = RequestFor(fixture, path);
        byte[] linker = Encoding.UTF8.GetBytes(interpreter);
        request.Backing = ProgramBacking;
        if (interpreter.Length != 0)
        {
            request.Interpreter.Inode = fixture.Store.Names.GetValueOrDefault(interpreter, 99u);
            request.Interpreter.Generation = 1;
            request.InterpreterStorage = request.Storage;
            request.InterpreterPathLength = (ushort)linker.Length;
            request.InterpreterBacking = LinkerBacking;
        }

        request.FilePathLength = (ushort)file.Length;
        error = fixture.Loader.Execute(MemoryFixture.VNode, 77, request, [.. file, .. linker], out AddressSpace* space, out reply);
        return space;
    }

    private static ExecuteRequest RequestFor(MemoryFixture fixture, string path)
    {
        ExecuteRequest request = default;
        request.File.Inode = fixture.Store.Names.GetValueOrDefault(path, 99u);
        request.File.Generation = 1;
        request.Storage = MemoryFixture.Storage;
        return request;
    }

    /// <summary>The name that the answer to a request without an interpreter brings; null when it is refused.</summary>
    private static string? InterpreterOf(MemoryFixture fixture, string path)
    {
        byte[] name = new byte[4096];
        ExecuteRequest request = RequestFor(fixture, path);
        Errno error = fixture.Loader.ReadInterpreter(MemoryFixture.VNode, request, Encoding.UTF8.GetBytes(path), name, out int length);
        return error == Errno.None ? Encoding.UTF8.GetString(name, 0, length) : null;
    }

    private static Errno Fail(MemoryFixture fixture, string path)
    {
        Execute(fixture, path, out _, out Errno error);
        return error;
    }

    /// <summary>What a miss of this page would bring.</summary>
    private static byte[] ReadPage(MemoryFixture fixture, AddressSpace* space, ulong address, out Protection protection)
    {
        Vma* vma = VmaTree.Find(space, address);
        Assert.True(vma != null, $"nothing is mapped at {address:x}");
        protection = vma->Protection;
        byte* frame = fixture.Map.Find(space, address);
        if (frame == null && vma->File != null)
        {
            ulong index = (vma->FileOffset + address - vma->Start) / Page;
            Assert.Equal(Errno.None, fixture.Files.Fetch(vma->File, index, FetchReason.Mapping));
            Assert.Equal(CacheOutcome.Done, fixture.Files.TryGetPage(vma->File, index, out frame, out Errno error));
            Assert.Equal(Errno.None, error);
        }

        return frame == null ? new byte[Page] : new ReadOnlySpan<byte>(frame, (int)Page).ToArray();
    }

    private static IEnumerable<(ulong Address, ulong Offset, ulong FileBytes, ulong MemoryBytes, uint Flags)> Segments(byte[] bytes)
    {
        int table = (int)BitConverter.ToUInt64(bytes, 32);
        int count = BitConverter.ToUInt16(bytes, 56);
        for (int index = 0; index < count; index++)
        {
            int at = table + (index * 56);
            if (BitConverter.ToUInt32(bytes, at) == 1)
            {
                yield return (BitConverter.ToUInt64(bytes, at + 16), BitConverter.ToUInt64(bytes, at + 8),
                    BitConverter.ToUInt64(bytes, at + 32), BitConverter.ToUInt64(bytes, at + 40), BitConverter.ToUInt32(bytes, at + 4));
            }
        }
    }

    /// <summary>One segment with code, data and bss: exit(0) at 0x400100.</summary>
    private static byte[] Tiny()
    {
        byte[] bytes = new byte[0x1234];
        new Random(1).NextBytes(bytes);
        byte[] header = [0x7F, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 62, 0, 1, 0, 0, 0];
        header.CopyTo(bytes, 0);
        ulong[] words = [0x40_0100, 64, 0];
        MemoryMarshal.AsBytes(words.AsSpan()).CopyTo(bytes.AsSpan(24));
        ushort[] halves = [0, 0, 64, 56, 1, 0, 0, 0];
        MemoryMarshal.AsBytes(halves.AsSpan()).CopyTo(bytes.AsSpan(48));
        uint[] type = [1, 7];
        MemoryMarshal.AsBytes(type.AsSpan()).CopyTo(bytes.AsSpan(64));
        ulong[] segment = [0, 0x40_0000, 0x40_0000, 0x1234, 0x5432, 0x1000];
        MemoryMarshal.AsBytes(segment.AsSpan()).CopyTo(bytes.AsSpan(72));
        return bytes;
    }

    /// <summary>A second program header, which says where in the file the interpreter's name stands.</summary>
    private static byte[] WithInterpreter(byte[] bytes, string name)
    {
        const ushort NameOffset = 0xC0;
        bytes[56] = 2;
        uint[] type = [3, 4];
        MemoryMarshal.AsBytes(type.AsSpan()).CopyTo(bytes.AsSpan(64 + 56));
        ulong[] segment = [NameOffset, NameOffset, NameOffset, (ulong)name.Length, (ulong)name.Length, 1];
        MemoryMarshal.AsBytes(segment.AsSpan()).CopyTo(bytes.AsSpan(64 + 56 + 8));
        Encoding.ASCII.GetBytes(name).CopyTo(bytes.AsSpan(NameOffset));
        return bytes;
    }

    /// <summary>ET_DYN, from address 0.</summary>
    private static byte[] Movable(byte[] bytes)
    {
        bytes[16] = 3;
        BitConverter.TryWriteBytes(bytes.AsSpan(24), 0x100UL);
        BitConverter.TryWriteBytes(bytes.AsSpan(64 + 16), 0UL);
        return bytes;
    }

    private static byte[] Load(string name)
    {
        if (name == "tiny")
        {
            return Tiny();
        }

        if (name == "busybox")
        {
            return File.ReadAllBytes(PathOf(name)!);
        }

        string folder = Directory.CreateTempSubdirectory("lego-elf").FullName;
        try
        {
            string[] command = name.Split(' ');
            File.WriteAllText(Path.Combine(folder, "a.c"), Source);
            string[] options = [.. command[1..], "-o", Path.Combine(folder, "a"), Path.Combine(folder, "a.c")];
            using Process process = Process.Start(command[0], options);
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
            return File.ReadAllBytes(Path.Combine(folder, "a"));
        }
        finally
        {
            Directory.Delete(folder, true);
        }
    }

    private static string? PathOf(string name) =>
        new[] { "/usr/bin/", "/bin/" }.Select(folder => folder + name.Split(' ')[0]).FirstOrDefault(File.Exists);
}
