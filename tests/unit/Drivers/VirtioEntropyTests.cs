// The entropy device delivers less than asked at times; Fill goes on until the span is full.

using System;
using System.Collections.Generic;
using Lego.Drivers;
using Lego.Kernel;
using Xunit;

namespace Lego.Tests.Drivers;

public sealed class VirtioEntropyTests
{
    [Fact]
    public void Fill_waits_for_every_byte_and_leaves_none_behind()
    {
        Poller.Reset();
        FakeTransport transport = new(VirtioFeatures.EventIndex, []);
        VirtioEntropy device = VirtioEntropy.Open(transport, TestFrames.Create())!;
        byte next = 1;
        List<ChainPiece> last = [];
        Poller.Register(new DeviceSource(() =>
        {
            if (!transport.Queues[0].TryPop(out ushort head, out List<ChainPiece> chain))
            {
                return false;
            }

            last = chain;
            int delivered = next % 3 == 0 ? 0 : Math.Min(chain[0].LengthBytes, 700);
            chain[0].Bytes[..delivered].Fill(next++);
            transport.Queues[0].Push(head, (uint)delivered);
            return true;
        }));
        byte[] bytes = new byte[10_000];
        device.Fill(bytes);
        Assert.DoesNotContain((byte)0, bytes);
        Assert.True(last[0].Bytes.IndexOfAnyExcept((byte)0) < 0, "random bytes stay in memory");
        Poller.Reset();
    }
}
