// The words of a new program: its file's name, arguments and environment. What a script puts before its own arguments (execve(2),
// "Interpreter scripts") is gathered in a small buffer; all else stays where it is, in the memory of the process that calls execve or in
// the manager's request, until the new space exists (ProgramStack), because it may be megabytes.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Words of one execve or start.</summary>
public unsafe ref struct ProgramWords
{
    /// <summary>Bytes of the buffer: the name, the path of the last interpreter and the words before the rest.</summary>
    public const int BufferBytes = 16 * 1024;

    private readonly Span<byte> _name;
    private readonly Span<byte> _words;
    private int _nameBytes;
    private int _pathBytes;
    private int _headEnd;

    /// <summary>The words of a file by this name; the caller sets where the rest is. ENAMETOOLONG.</summary>
    public static Errno Create(Span<byte> buffer, ReadOnlySpan<byte> name, out ProgramWords words)
    {
        words = new ProgramWords(buffer);
        if (name.Length >= BufferBytes / 4)
        {
            return Errno.ENAMETOOLONG;
        }

        words._nameBytes = Put(words._name, name);
        words._pathBytes = Put(words._words, name);
        words._headEnd = words._pathBytes;
        return Errno.None;
    }

    private ProgramWords(Span<byte> buffer)
    {
        _name = buffer.Slice(0, BufferBytes / 4);
        _words = buffer.Slice(BufferBytes / 4, BufferBytes - (BufferBytes / 4));
    }

    /// <summary>What the program was called by, with terminator (AT_EXECFN); a script's own name.</summary>
    public readonly ReadOnlySpan<byte> Name => _name.Slice(0, _nameBytes);

    /// <summary>The file to load: what was called, or the interpreter of it.</summary>
    public readonly ReadOnlySpan<byte> Path => _words.Slice(0, _pathBytes - 1);

    /// <summary>Arguments before the rest, each terminated.</summary>
    public readonly ReadOnlySpan<byte> Head => _words.Slice(_pathBytes, _headEnd - _pathBytes);

    public uint HeadCount { get; private set; }

    /// <summary>The first of the other arguments has given way to a script's path.</summary>
    public bool SkipsFirst { get; private set; }

    /// <summary>The name leads through a descriptor that execve closes: no interpreter could open it (execveat(2), BUGS).</summary>
    public bool IsUnreachable { get; set; }

    /// <summary>Arrays of pointers in the process's memory (execve); 0 = none.</summary>
    public ulong ArgumentArray { get; set; }

    public ulong EnvironmentArray { get; set; }

    /// <summary>Terminated strings, where there are no arrays (StartProcess).</summary>
    public ReadOnlySpan<byte> ArgumentBlock { get; set; }

    public ReadOnlySpan<byte> EnvironmentBlock { get; set; }

    /// <summary>
    /// The file is a script: its interpreter is loaded instead and gets its path, its one optional argument and the script's path before
    /// the other arguments but the first. E2BIG.
    /// </summary>
    public Errno Interpret(scoped ReadOnlySpan<byte> interpreter, scoped ReadOnlySpan<byte> argument)
    {
        int dropped = HeadCount == 0 ? 0 : Head.IndexOf((byte)0) + 1;
        int tailStart = _pathBytes + dropped;
        int tailBytes = _headEnd - tailStart;
        int scriptStart = (2 * (interpreter.Length + 1)) + (argument.Length == 0 ? 0 : argument.Length + 1);
        int end = scriptStart + _pathBytes + tailBytes;
        if (end > _words.Length)
        {
            return Errno.E2BIG;
        }

        // From the last to the first: everything moves up.
        _words.Slice(tailStart, tailBytes).CopyTo(_words.Slice(scriptStart + _pathBytes));
        _words.Slice(0, _pathBytes).CopyTo(_words.Slice(scriptStart));
        int at = Put(_words, interpreter);
        _pathBytes = at;
        at += Put(_words.Slice(at), interpreter);
        if (argument.Length != 0)
        {
            Put(_words.Slice(at), argument);
        }

        _headEnd = end;
        SkipsFirst |= HeadCount == 0;
        HeadCount += (argument.Length == 0 ? 2u : 3u) - (dropped == 0 ? 0u : 1u);
        return Errno.None;
    }

    private static int Put(Span<byte> to, scoped ReadOnlySpan<byte> text)
    {
        text.CopyTo(to);
        to[text.Length] = 0;
        return text.Length + 1;
    }
}
