// The calls that scenarios make, by name. Strings and buffers lie in the program's data area: each call uses the same few pages, so that
// they are lines of the ExCache like any other.

using System;
using System.Text;
using Lego.Kernel;
using Lego.Processor;

namespace Lego.Simulation;

internal sealed unsafe partial class UserProgram
{
    internal const int ReadOnly = 0;
    internal const int WriteOnly = 1;
    internal const int ReadWrite = 2;
    internal const int Create = 0x40;
    internal const int Exclusive = 0x80;
    internal const int Truncates = 0x200;
    internal const int Appends = 0x400;
    internal const int NonBlocking = 0x800;

    internal const ulong PathArea = StandInElf.DataStart + 0x4000;
    internal const ulong SecondPathArea = StandInElf.DataStart + 0x5000;
    internal const ulong StructArea = StandInElf.DataStart + 0x6000;
    internal const ulong BufferArea = StandInElf.DataStart + 0x8000;
    internal const int BufferBytes = 0x10000;

    internal uint ProcessId => UserThread.Current->Process->Id;

    /// <summary>Ends the thread; does not return.</summary>
    internal void EndThread(int status)
    {
        Call(60, (ulong)status);
        throw new CheckFailed("exit has returned");
    }

    /// <summary>Ends the process; does not return.</summary>
    internal void Exit(int status)
    {
        Call(231, (ulong)status);
        throw new CheckFailed("exit_group has returned");
    }

    internal long Open(string path, int flags, int mode = 0x1A4) => Call(2, PutString(PathArea, path), (ulong)flags, (ulong)mode);

    internal long Close(long descriptor) => Call(3, (ulong)descriptor);

    internal long Write(long descriptor, ReadOnlySpan<byte> bytes)
    {
        Store(BufferArea, bytes);
        return Call(1, (ulong)descriptor, BufferArea, (ulong)bytes.Length);
    }

    internal long Write(long descriptor, string text) => Write(descriptor, Encoding.ASCII.GetBytes(text));

    internal long WriteAt(long descriptor, ulong offset, ReadOnlySpan<byte> bytes)
    {
        Store(BufferArea, bytes);
        return Call(18, (ulong)descriptor, BufferArea, (ulong)bytes.Length, offset);
    }

    internal long Read(long descriptor, int count, out byte[] bytes)
    {
        long result = Call(0, (ulong)descriptor, BufferArea, (ulong)count);
        bytes = result > 0 ? LoadBytes(BufferArea, (int)result) : [];
        return result;
    }

    internal long ReadAt(long descriptor, ulong offset, int count, out byte[] bytes)
    {
        long result = Call(17, (ulong)descriptor, BufferArea, (ulong)count, offset);
        bytes = result > 0 ? LoadBytes(BufferArea, (int)result) : [];
        return result;
    }

    internal long Unlink(string path) => Call(87, PutString(PathArea, path));

    internal long Rename(string from, string to) => Call(82, PutString(PathArea, from), PutString(SecondPathArea, to));

    internal long Truncate(long descriptor, ulong size) => Call(77, (ulong)descriptor, size);

    internal long Allocate(long descriptor, ulong offset, ulong length) => Call(285, (ulong)descriptor, 0, offset, length);

    internal long Synchronize(long descriptor) => Call(74, (ulong)descriptor);

    /// <summary>st_size of an open file.</summary>
    internal long SizeOf(long descriptor)
    {
        long result = Call(5, (ulong)descriptor, StructArea);
        return result < 0 ? result : BitConverter.ToInt64(LoadBytes(StructArea + 48, sizeof(long)));
    }

    internal ulong Map(ulong address, ulong length, int protection, int flags, long descriptor = -1, ulong offset = 0) =>
        (ulong)Call(9, address, length, (ulong)protection, (ulong)flags, (ulong)descriptor, offset);

    internal long Unmap(ulong address, ulong length) => Call(11, address, length);

    internal long Protect(ulong address, ulong length, int protection) => Call(10, address, length, (ulong)protection);

    /// <summary>fork(2): the child runs <paramref name="child"/>.</summary>
    internal long Fork(Action<UserProgram> child) => CallAt(Code.AddContinuation(child), 57, 0, 0, 0, 0, 0, 0);

    /// <summary>vfork(2).</summary>
    internal long VFork(Action<UserProgram> child) => CallAt(Code.AddContinuation(child), 58, 0, 0, 0, 0, 0, 0);

    /// <summary>A thread of the process that runs <paramref name="thread"/> on a stack of its own; its id, or -errno.</summary>
    internal long StartThread(Action<UserProgram> thread)
    {
        const ulong SharedAll = 0x00050F00;
        const ulong StackBytes = 0x4000;
        long stack = (long)Map(0, StackBytes, 3, 0x22);
        return stack < 0 ? stack : CallAt(Code.AddContinuation(thread), 56, SharedAll, (ulong)stack + StackBytes, 0, 0, 0, 0);
    }

    /// <summary>execve(2) of a stand-in program without arguments; returns only on errors.</summary>
    internal long Execute(int program)
    {
        PutString(PathArea, "/bin/" + StandInElf.NameOf(program));
        Store(StructArea, new byte[16]);
        Store(StructArea, BitConverter.GetBytes(PathArea));
        return Call(59, PathArea, StructArea, StructArea + 8);
    }

    internal long Kill(long process, int signal) => Call(62, (ulong)process, (ulong)signal);

    /// <summary>wait4(2); the status is 0 when nothing was waited for.</summary>
    internal long WaitFor(long process, out uint status, int options = 0)
    {
        long result = Call(61, (ulong)process, StructArea, (ulong)options);
        status = result > 0 ? BitConverter.ToUInt32(LoadBytes(StructArea, sizeof(uint))) : 0;
        return result;
    }

    internal long Pipe(out int reader, out int writer)
    {
        long result = Call(22, StructArea);
        byte[] ends = result == 0 ? LoadBytes(StructArea, 8) : new byte[8];
        reader = BitConverter.ToInt32(ends);
        writer = BitConverter.ToInt32(ends.AsSpan(4));
        return result;
    }

    internal long Pause() => Call(34);

    /// <summary>Waits in simulated time; EINTR ends it early.</summary>
    internal long Sleep(ulong nanoseconds)
    {
        Store(StructArea, BitConverter.GetBytes(nanoseconds / 1_000_000_000));
        Store(StructArea + 8, BitConverter.GetBytes(nanoseconds % 1_000_000_000));
        return Call(35, StructArea);
    }

    /// <summary>Installs a handler for a signal, with SA_ flags.</summary>
    internal long Handle(int signal, Action<UserProgram, int> handler, ulong flags)
    {
        const ulong RestorerFlag = 0x04000000;
        byte[] action = new byte[32];
        BitConverter.TryWriteBytes(action, Code.AddHandler(handler));
        BitConverter.TryWriteBytes(action.AsSpan(8), RestorerFlag | flags);
        BitConverter.TryWriteBytes(action.AsSpan(16), CallSite);
        Store(StructArea, action);
        return Call(13, (ulong)signal, StructArea, 0, 8);
    }

    /// <summary>The address of a path, until the next call that takes one.</summary>
    internal ulong PathAt(string path) => PutString(PathArea, path);

    private ulong PutString(ulong address, string text)
    {
        Store(address, Encoding.ASCII.GetBytes(text + "\0"));
        return address;
    }
}
