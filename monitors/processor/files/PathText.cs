// Paths as text: what can be decided about them without asking the storage component. Pure functions, tested on the host.

using System;
using Lego.Fabric.Messages;

namespace Lego.Processor;

/// <summary>Which tree a path belongs to.</summary>
public enum PathTree : byte
{
    /// <summary>The volume: the storage component resolves the path.</summary>
    Volume = 0,
    /// <summary>/proc, /sys or /dev: answered here.</summary>
    Pseudo = 1,
}

/// <summary>Questions about absolute paths.</summary>
public static class PathText
{
    /// <summary>
    /// Decides by the first component of an absolute path; a "." or ".." before it stays in the root. What a link or a later ".." makes of
    /// it is found on the way.
    /// </summary>
    public static PathTree TreeOf(ReadOnlySpan<byte> path)
    {
        int position = 0;
        while (path.Length != 0 && path[0] == (byte)'/' && NextComponent(path, ref position, out ReadOnlySpan<byte> component))
        {
            if (!IsDot(component) && !IsDotDot(component))
            {
                return IsPseudoRoot(component) ? PathTree.Pseudo : PathTree.Volume;
            }
        }

        return PathTree.Volume;
    }

    /// <summary>True for the names in the root directory that are answered here.</summary>
    public static bool IsPseudoRoot(ReadOnlySpan<byte> name) => MountNames.Has(name);

    /// <summary>Cuts the next component off; slashes are skipped. False at the end.</summary>
    public static bool NextComponent(ReadOnlySpan<byte> path, scoped ref int position, out ReadOnlySpan<byte> component)
    {
        while (position < path.Length && path[position] == (byte)'/')
        {
            position++;
        }

        int start = position;
        while (position < path.Length && path[position] != (byte)'/')
        {
            position++;
        }

        component = path.Slice(start, position - start);
        return !component.IsEmpty;
    }

    /// <summary>False: the rest of a path is empty, or slashes.</summary>
    public static bool HasComponent(ReadOnlySpan<byte> path)
    {
        int position = 0;
        return NextComponent(path, ref position, out _);
    }

    /// <summary>The last component, trailing slashes aside; empty for the root.</summary>
    public static ReadOnlySpan<byte> LastComponent(ReadOnlySpan<byte> path)
    {
        int end = path.Length;
        while (end > 0 && path[end - 1] == (byte)'/')
        {
            end--;
        }

        ReadOnlySpan<byte> trimmed = path.Slice(0, end);
        return trimmed.Slice(trimmed.LastIndexOf((byte)'/') + 1);
    }

    /// <summary>What is before the last component, at least the root.</summary>
    public static ReadOnlySpan<byte> DirectoryOf(ReadOnlySpan<byte> path)
    {
        int end = path.Length;
        while (end > 0 && path[end - 1] == (byte)'/')
        {
            end--;
        }

        int slash = path.Slice(0, end).LastIndexOf((byte)'/');
        return path.Slice(0, Math.Max(slash, 1));
    }

    /// <summary>True when one of the path's components is exactly this.</summary>
    public static bool HasComponent(ReadOnlySpan<byte> path, ReadOnlySpan<byte> name)
    {
        int position = 0;
        while (NextComponent(path, ref position, out ReadOnlySpan<byte> component))
        {
            if (component.SequenceEqual(name))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>True when a canonical path is another one or lies below it.</summary>
    public static bool IsAtOrBelow(ReadOnlySpan<byte> path, ReadOnlySpan<byte> ancestor) =>
        path.StartsWith(ancestor) && (path.Length == ancestor.Length || path[ancestor.Length] == (byte)'/' || ancestor.Length == 1);

    /// <summary>
    /// If a canonical path is at or below the old one, its place after the old one was renamed; false when not, or too long.
    /// </summary>
    public static bool TryRebase(
        ReadOnlySpan<byte> path, ReadOnlySpan<byte> oldPath, ReadOnlySpan<byte> newPath, Span<byte> rebased, out int lengthBytes)
    {
        lengthBytes = 0;
        if (!IsAtOrBelow(path, oldPath))
        {
            return false;
        }

        ReadOnlySpan<byte> rest = path.Slice(oldPath.Length);
        if (newPath.Length + rest.Length >= rebased.Length)
        {
            return false;
        }

        newPath.CopyTo(rebased);
        rest.CopyTo(rebased.Slice(newPath.Length));
        lengthBytes = newPath.Length + rest.Length;
        return true;
    }

    /// <summary>A decimal number without sign and leading zeros, below 2^31; false when the text is something else.</summary>
    public static bool TryNumber(ReadOnlySpan<byte> text, out uint number)
    {
        const int MaxDigits = 9;
        number = 0;
        if (text.IsEmpty || text.Length > MaxDigits || (text.Length > 1 && text[0] == (byte)'0'))
        {
            return false;
        }

        for (int index = 0; index < text.Length; index++)
        {
            uint digit = (uint)(text[index] - '0');
            if (digit > 9)
            {
                return false;
            }

            number = (number * 10) + digit;
        }

        return true;
    }

    internal static bool IsDot(ReadOnlySpan<byte> component) => component.Length == 1 && component[0] == (byte)'.';

    internal static bool IsDotDot(ReadOnlySpan<byte> component) =>
        component.Length == 2 && component[0] == (byte)'.' && component[1] == (byte)'.';
}
