// The generator: no repetition, no dependence on piece sizes' alignment, every byte value turns up.

using System;
using System.Collections.Generic;
using Lego.Processor;
using Xunit;

namespace Lego.Tests.Processor.Files;

public sealed class RandomBytesTests
{
    [Fact]
    public void Output_does_not_repeat_and_covers_all_values()
    {
        RandomBytes random = new();
        random.Seed("seed"u8);
        HashSet<string> blocks = new();
        HashSet<byte> values = new();
        byte[] block = new byte[33];
        for (int round = 0; round < 1000; round++)
        {
            random.Fill(block);
            Assert.True(blocks.Add(Convert.ToHexString(block)));
            values.UnionWith(block);
        }

        Assert.Equal(256, values.Count);
    }
}
