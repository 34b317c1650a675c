// An Execute request: its fixed part, then the paths of the file and of its dynamic linker. They lie at the end of the buffer for the
// reply, the answers before them.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>One Execute request; a copy goes to each call, the bytes are shared.</summary>
internal unsafe ref struct ExecuteHead
{
    /// <summary>Bytes at the end of the buffer.</summary>
    public static int MaxBytes => sizeof(ExecuteRequest) + (2 * PathRequest.MaxPath);

    private readonly Span<byte> _bytes;
    private readonly int _fileLength;
    private int _interpreterLength;

    /// <summary>Takes the path of the file, which an Open reply has left in the buffer.</summary>
    public ExecuteHead(Span<byte> reply, int fileLength)
    {
        _bytes = reply.Slice(reply.Length - MaxBytes);
        _fileLength = fileLength;
        _interpreterLength = 0;
        reply.Slice(sizeof(OpenReply), fileLength).CopyTo(_bytes.Slice(sizeof(ExecuteRequest)));
    }

    public readonly ReadOnlySpan<byte> File => _bytes.Slice(sizeof(ExecuteRequest), _fileLength);

    public readonly ReadOnlySpan<byte> Interpreter => _bytes.Slice(sizeof(ExecuteRequest) + _fileLength, _interpreterLength);

    /// <summary>Puts the interpreter's name, or its path, behind the file. ENAMETOOLONG.</summary>
    public Errno TakeInterpreter(ReadOnlySpan<byte> path)
    {
        if (path.Length > PathRequest.MaxPath)
        {
            return Errno.ENAMETOOLONG;
        }

        _interpreterLength = path.Length;
        path.CopyTo(_bytes.Slice(sizeof(ExecuteRequest) + _fileLength));
        return Errno.None;
    }

    /// <summary>The bytes of the request.</summary>
    public readonly ReadOnlySpan<byte> Write(in ExecuteRequest request)
    {
        MemoryMarshal.Write(_bytes, in request);
        return _bytes.Slice(0, sizeof(ExecuteRequest) + File.Length + (request.InterpreterPathLength == 0 ? 0 : Interpreter.Length));
    }
}
