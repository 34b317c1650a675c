// Random bytes for programs: ChaCha20 (RFC 8439) under a key that comes from the machine's entropy source at boot; the first half of each
// block replaces the key, so that earlier output cannot be worked out from a later state ("fast key erasure"). Never blocks.

using System;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>The generator behind getrandom, /dev/urandom and AT_RANDOM.</summary>
public sealed class RandomBytes
{
    private const int BlockWords = 16;
    private const int KeyWords = 8;
    private const int BlockBytes = 64;
    private const int KeyBytes = 32;
    private const int DoubleRounds = 10;

    private Key _key;
    private ulong _blocks;

    [InlineArray(KeyWords)]
    private struct Key
    {
        private uint _first;
    }

    [InlineArray(BlockWords)]
    private struct Block
    {
        private uint _first;
    }

    /// <summary>Mixes entropy into the key; boot time, and whenever there is more. BLOCKS in the source.</summary>
    public void Seed(EntropySource source)
    {
        Span<byte> fresh = stackalloc byte[KeyBytes];
        source.Fill(fresh);
        Seed(fresh);
    }

    /// <summary>Mixes up to 32 bytes into the key.</summary>
    public void Seed(ReadOnlySpan<byte> entropy)
    {
        Span<byte> key = MemoryMarshal.AsBytes((Span<uint>)_key);
        for (int index = 0; index < key.Length && index < entropy.Length; index++)
        {
            key[index] ^= entropy[index];
        }

        Span<byte> discarded = stackalloc byte[KeyBytes];
        Fill(discarded);
    }

    /// <summary>64 random bits.</summary>
    public ulong NextWord()
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        Fill(bytes);
        return MemoryMarshal.Read<ulong>(bytes);
    }

    /// <summary>Fills the whole span.</summary>
    public void Fill(Span<byte> bytes)
    {
        Block block = default;
        while (!bytes.IsEmpty)
        {
            NextBlock(ref block);
            ReadOnlySpan<byte> output = MemoryMarshal.AsBytes((Span<uint>)block);
            output.Slice(0, KeyBytes).CopyTo(MemoryMarshal.AsBytes((Span<uint>)_key));
            int chunk = Math.Min(bytes.Length, BlockBytes - KeyBytes);
            output.Slice(KeyBytes, chunk).CopyTo(bytes);
            bytes = bytes.Slice(chunk);
        }
    }

    /// <summary>The ChaCha20 block function (RFC 8439 section 2.3) with the number of blocks made so far as counter and nonce.</summary>
    private void NextBlock(ref Block block)
    {
        Block initial = default;
        initial[0] = 0x61707865;
        initial[1] = 0x3320646e;
        initial[2] = 0x79622d32;
        initial[3] = 0x6b206574;
        for (int word = 0; word < KeyWords; word++)
        {
            initial[4 + word] = _key[word];
        }

        _blocks++;
        initial[12] = (uint)_blocks;
        initial[13] = (uint)(_blocks >> 32);
        ulong now = Cpu.Timestamp();
        initial[14] = (uint)now;
        initial[15] = (uint)(now >> 32);
        block = initial;
        for (int round = 0; round < DoubleRounds; round++)
        {
            QuarterRound(ref block, 0, 4, 8, 12);
            QuarterRound(ref block, 1, 5, 9, 13);
            QuarterRound(ref block, 2, 6, 10, 14);
            QuarterRound(ref block, 3, 7, 11, 15);
            QuarterRound(ref block, 0, 5, 10, 15);
            QuarterRound(ref block, 1, 6, 11, 12);
            QuarterRound(ref block, 2, 7, 8, 13);
            QuarterRound(ref block, 3, 4, 9, 14);
        }

        for (int word = 0; word < BlockWords; word++)
        {
            block[word] += initial[word];
        }
    }

    private static void QuarterRound(ref Block block, int a, int b, int c, int d)
    {
        block[a] += block[b];
        block[d] = BitOperations.RotateLeft(block[d] ^ block[a], 16);
        block[c] += block[d];
        block[b] = BitOperations.RotateLeft(block[b] ^ block[c], 12);
        block[a] += block[b];
        block[d] = BitOperations.RotateLeft(block[d] ^ block[a], 8);
        block[c] += block[d];
        block[b] = BitOperations.RotateLeft(block[b] ^ block[c], 7);
    }
}
