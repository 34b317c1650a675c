// SipHash-2-4 (Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012): the keyed hash behind initial sequence numbers, SYN cookies,
// timestamp offsets and ports. Who does not know the key cannot guess its values.

using System.Numerics;

namespace Lego.Kernel;

/// <summary>A key, and the hash of words under it.</summary>
internal readonly struct SipHash
{
    private readonly ulong _key0;
    private readonly ulong _key1;

    internal SipHash(ulong key0, ulong key1)
    {
        _key0 = key0;
        _key1 = key1;
    }

    /// <summary>The hash of one end's and the other end's address and ports, and a number that says what for.</summary>
    internal ulong OfTuple(in SocketAddress local, in SocketAddress remote, ulong purpose)
    {
        State state = new(_key0, _key1);
        state.Add(local.Address.FirstWord);
        state.Add(local.Address.SecondWord);
        state.Add(remote.Address.FirstWord);
        state.Add(remote.Address.SecondWord);
        state.Add(((ulong)local.Port << 16) | remote.Port);
        state.Add(purpose);
        return state.Finish(6 * sizeof(ulong));
    }

    /// <summary>The hash of bytes that are whole words.</summary>
    internal ulong Of(System.ReadOnlySpan<ulong> words)
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
            _v0 = key0 ^ 0x736f6d6570736575;
            _v1 = key1 ^ 0x646f72616e646f6d;
            _v2 = key0 ^ 0x6c7967656e657261;
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
            _v2 += _v3;
            _v1 = BitOperations.RotateLeft(_v1, 13) ^ _v0;
            _v3 = BitOperations.RotateLeft(_v3, 16) ^ _v2;
            _v0 = BitOperations.RotateLeft(_v0, 32);
            _v2 += _v1;
            _v0 += _v3;
            _v1 = BitOperations.RotateLeft(_v1, 17) ^ _v2;
            _v3 = BitOperations.RotateLeft(_v3, 21) ^ _v0;
            _v2 = BitOperations.RotateLeft(_v2, 32);
        }
    }
}
