// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012): a keyed hash of a few words, for numbers that
// a stranger must not guess although he sees others of them (ports: RFC 6056; sequence numbers: RFC 6528; identifications: RFC 7739).

using System;
using System.Numerics;

namespace Lego.Kernel;

/// <summary>The hash under one key, which the owner takes from an entropy source.</summary>
public readonly struct SipHash
{
    private readonly ulong _key0;
    private readonly ulong _key1;

    public SipHash(ulong key0, ulong key1)
    {
        _key0 = key0;
        _key1 = key1;
    }

    /// <summary>The hash of two 64-bit words (16 bytes in little-endian order).</summary>
    public ulong Of(ulong first, ulong second)
    {
        State state = new(_key0, _key1);
        state.Add(first);
        state.Add(second);
        return state.Finish(2 * sizeof(ulong));
    }

    /// <summary>The hash of four 64-bit words.</summary>
    public ulong Of(ulong first, ulong second, ulong third, ulong fourth)
    {
        State state = new(_key0, _key1);
        state.Add(first);
        state.Add(second);
        state.Add(third);
        state.Add(fourth);
        return state.Finish(4 * sizeof(ulong));
    }

    /// <summary>The hash of any number of 64-bit words.</summary>
    public ulong Of(ReadOnlySpan<ulong> words)
    {
        State state = new(_key0, _key1);
        for (int index = 0; index < words.Length; index++)
        {
            state.Add(words[index]);
        }

        return state.Finish(words.Length * sizeof(ulong));
    }

    private struct State
    {
        private ulong _v0;
        private ulong _v1;
        private ulong _v2;
        private ulong _v3;

        internal State(ulong key0, ulong key1)
        {
            _v0 = key0 ^ 0x736F6D6570736575;
            _v1 = key1 ^ 0x646F72616E646F6D;
            _v2 = key0 ^ 0x6C7967656E657261;
            _v3 = key1 ^ 0x7465646279746573;
        }

        internal void Add(ulong word)
        {
            _v3 ^= word;
            Round();
            Round();
            _v0 ^= word;
        }

        internal ulong Finish(int lengthBytes)
        {
            Add((ulong)lengthBytes << 56);
            _v2 ^= 0xFF;
            Round();
            Round();
            Round();
            Round();
            return _v0 ^ _v1 ^ _v2 ^ _v3;
        }

        private void Round()
        {
            _v0 += _v1;
            _v1 = BitOperations.RotateLeft(_v1, 13) ^ _v0;
            _v0 = BitOperations.RotateLeft(_v0, 32);
            _v2 += _v3;
            _v3 = BitOperations.RotateLeft(_v3, 16) ^ _v2;
            _v0 += _v3;
            _v3 = BitOperations.RotateLeft(_v3, 21) ^ _v0;
            _v2 += _v1;
            _v1 = BitOperations.RotateLeft(_v1, 17) ^ _v2;
            _v2 = BitOperations.RotateLeft(_v2, 32);
        }
    }
}
