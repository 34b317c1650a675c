// Cases about real devices as QEMU makes them. A case whose device is missing is skipped. The full machine has: a scratch disk (any
// contents, at least 8 MB), virtio-rng, an ivshmem region with a ring header, two pci-serial functions
// whose sockets are joined to each other, and a control channel at whose far end somebody echoes. With spin_us=0 on the boot line every
// wait goes through a halt, so that the same cases show that interrupts arrive.

using System;
using Lego.Drivers;
using Lego.Kernel;

namespace Lego.Suites;

/// <summary>Watches a device from the poller's place, as its users do.</summary>
internal sealed class Watch : PollSource
{
    internal NetDevice? Card;
    internal Doorbell? Bell;
    internal bool Seen;

    public override bool Poll()
    {
        bool seen = (!Seen && (Card?.TryReceive(out _) ?? false)) || (Bell?.Acknowledge() ?? false);
        if (seen)
        {
            Seen = true;
            Scheduler.Notify();
        }

        return seen;
    }

    public override void ArmWakeup()
    {
        Card?.ArmWakeup();
        Bell?.Arm();
    }

    public override void DisarmWakeup()
    {
        Card?.DisarmWakeup();
        Bell?.Disarm();
    }
}

/// <summary>Disk, entropy, control channel, shared memory, doorbells.</summary>
public static unsafe class DriverCases
{
    private const ulong SecondNs = 1_000_000_000;
    private const int Slots = 32;
    private const uint SectorBytes = BlockDevice.SectorSize;
    private const int BlockThreads = 8;
    private const uint ThreadAreaPages = 8;
    /// <summary>Long enough for every other CPU to halt, and short.</summary>
    private const ulong HaltedNs = 20_000_000;
    private const int PlacementAttempts = 50;
    private const int EntropyRounds = 4;

    private static DeviceSet? s_devices;
    private static FrameAllocator? s_frames;
    private static Watch? s_bellWatch;
    private static Doorbell? s_bellA;
    private static Doorbell? s_bellB;
    private static uint s_finished;
    private static uint s_failures;
    private static bool s_allFinished;
    private static uint s_waitsElsewhere;

    public static void Register(CaseList cases, DeviceSet devices, FrameAllocator frames)
    {
        s_devices = devices;
        s_frames = frames;
        for (int slot = 0; slot < Slots; slot++)
        {
            Doorbell? bell = devices.DoorbellInSlot(slot);
            if (s_bellA == null)
            {
                s_bellA = bell;
            }
            else
            {
                s_bellB ??= bell;
            }
        }

        s_bellWatch = new Watch { Bell = s_bellB };
        Poller.Register(s_bellWatch);
        if (devices.Control != null)
        {
            Poller.Register(devices.Control);
        }

        cases.Add("entropy.fills-differ", &EntropyFillsDiffer);
        cases.Add("processors.a-device-wakes-a-thread-that-waits-on-another-cpu", &DeviceWakesAnotherCpu);
        cases.Add("block.what-is-written-is-read-back", &BlockReadsBack);
        cases.Add("block.flush-succeeds", &BlockFlush);
        cases.Add("block.bad-ranges-are-refused", &BlockBadRanges);
        cases.Add("block.many-threads-at-once", &BlockManyThreads);
        cases.Add("control.bytes-come-back-from-an-echo", &ControlEcho);
        cases.Add("ivshmem.region-has-a-ring-header-and-is-memory", &SharedMemory);
        cases.Add("doorbell.rings-both-ways", &DoorbellBothWays);
        cases.Add("doorbell.wakes-a-waiting-thread", &DoorbellWakes);
    }

    private static void EntropyFillsDiffer(ref Check check)
    {
        if (s_devices!.Entropy == null)
        {
            check.Skip("no entropy device");
            return;
        }

        using Scratch scratch = new(s_frames!, 4);
        Span<byte> bytes = scratch.Bytes;
        bytes.Clear();
        s_devices.Entropy.Fill(bytes[..5000]);
        s_devices.Entropy.Fill(bytes.Slice(8192, 5000));
        check.That(!bytes[..5000].SequenceEqual(bytes.Slice(8192, 5000)), "two fills differ");
        int zeros = 0;
        for (int index = 0; index < 5000; index++)
        {
            zeros += bytes[index] == 0 ? 1 : 0;
        }

        check.That(zeros < 100, "few bytes are zero");
        check.That(bytes[5000] == 0, "nothing is written behind the span");
    }

    /// <summary>
    /// A wait without end for the entropy device, on a CPU that takes no device interrupts, while all others have been halted for long: the
    /// interrupt must still come. Which CPU takes the thread is chance, so it is tried until another one has.
    /// </summary>
    private static void DeviceWakesAnotherCpu(ref Check check)
    {
        if (Processors.Count == 1 || s_devices!.Entropy == null)
        {
            check.Skip("this machine has one CPU or no entropy device");
            return;
        }

        s_waitsElsewhere = 0;
        for (int attempt = 0; attempt < PlacementAttempts && s_waitsElsewhere == 0; attempt++)
        {
            s_allFinished = false;
            check.That(Scheduler.Spawn(&WaitForEntropy, null, "entropy"u8) != null, "there is memory for a thread");
            // Another CPU takes the thread meanwhile.
            ProcessorCases.SpendTime(HaltedNs);
            Scheduler.WaitUntil(ref s_allFinished, ulong.MaxValue);
        }

        check.That(s_waitsElsewhere > 0, "a thread waited on another CPU");
    }

    private static void WaitForEntropy(void* argument)
    {
        ProcessorCases.SpendTime(HaltedNs);
        s_waitsElsewhere += Cpu.Index == 0 ? 0u : 1;
        ulong random = 0;
        // QEMU interrupts for a queue's first completion whether that is wanted or not; it is the later ones that count.
        for (int round = 0; round < EntropyRounds; round++)
        {
            s_devices!.Entropy!.Fill(new Span<byte>(&random, sizeof(ulong)));
        }

        s_allFinished = true;
        Scheduler.Notify();
    }

    private static bool TryDisk(ref Check check, out BlockDevice disk)
    {
        disk = s_devices!.Disk(0);
        if (s_devices.DiskCount == 0 || disk.ReadOnly || disk.SectorCount < 16384)
        {
            check.Skip("no scratch disk");
            return false;
        }

        return true;
    }

    private static void BlockReadsBack(ref Check check)
    {
        if (!TryDisk(ref check, out BlockDevice disk))
        {
            return;
        }

        using Scratch scratch = new(s_frames!, 512);
        ulong seed = Clock.NowNs();
        uint half = scratch.LengthBytes / 2;
        scratch.Fill(seed, 0, half);
        check.Succeeded(disk.Write(24, scratch.Start, half), "write of 1 MB");
        check.Succeeded(disk.Read(24, scratch.Start + half, half), "read of 1 MB");
        check.That(scratch.Holds(seed, half, half), "1 MB reads back");

        // Single sectors inside, at an odd place in a page.
        byte* odd = scratch.Start + 3000;
        check.Succeeded(disk.Read(24 + 7, odd, SectorBytes), "read of a sector");
        ReadOnlySpan<byte> inWhole = new(scratch.Start + half + (7 * SectorBytes), (int)SectorBytes);
        check.That(new ReadOnlySpan<byte>(odd, (int)SectorBytes).SequenceEqual(inWhole), "a sector reads back");
        ulong last = disk.SectorCount - 1;
        scratch.Fill(seed + 1, 0, SectorBytes);
        check.Succeeded(disk.Write(last, scratch.Start, SectorBytes), "write of the last sector");
        scratch.Fill(0, 0, SectorBytes);
        check.Succeeded(disk.Read(last, scratch.Start, SectorBytes), "read of the last sector");
        check.That(scratch.Holds(seed + 1, 0, SectorBytes), "the last sector reads back");
    }

    private static void BlockFlush(ref Check check)
    {
        if (TryDisk(ref check, out BlockDevice disk))
        {
            using Scratch scratch = new(s_frames!, 1);
            scratch.Fill(3, 0, scratch.LengthBytes);
            check.Succeeded(disk.Write(0, scratch.Start, scratch.LengthBytes), "write");
            check.Succeeded(disk.Flush(), "flush");
        }
    }

    private static void BlockBadRanges(ref Check check)
    {
        if (TryDisk(ref check, out BlockDevice disk))
        {
            using Scratch scratch = new(s_frames!, 1);
            check.Equal((ulong)Errno.EINVAL, (ulong)disk.Read(disk.SectorCount, scratch.Start, SectorBytes), "read past the end");
            check.Equal((ulong)Errno.EINVAL, (ulong)disk.Write(ulong.MaxValue, scratch.Start, SectorBytes), "write far past the end");
            check.Equal((ulong)Errno.EINVAL, (ulong)disk.Read(0, scratch.Start, SectorBytes - 1), "read of a part of a sector");
        }
    }

    private static void BlockManyThreads(ref Check check)
    {
        if (!TryDisk(ref check, out _))
        {
            return;
        }

        s_finished = 0;
        s_failures = 0;
        s_allFinished = false;
        for (int index = 0; index < BlockThreads; index++)
        {
            check.That(Scheduler.Spawn(&WriteAndRead, (void*)index, "disk"u8) != null, "there is memory for a thread");
        }

        check.That(Scheduler.WaitUntil(ref s_allFinished, Clock.NowNs() + (60 * SecondNs)), "all threads finish");
        check.Equal(0, s_failures, "failures");
    }

    private static void WriteAndRead(void* argument)
    {
        uint index = (uint)argument;
        BlockDevice disk = s_devices!.Disk(0);
        using (Scratch scratch = new(s_frames!, ThreadAreaPages))
        {
            ulong sector = 4096 + (index * (scratch.LengthBytes / SectorBytes));
            for (uint round = 0; round < 10; round++)
            {
                scratch.Fill((index * 100) + round, 0, scratch.LengthBytes);
                bool good = disk.Write(sector, scratch.Start, scratch.LengthBytes) == Errno.None;
                scratch.Fill(0, 0, scratch.LengthBytes);
                good &= disk.Read(sector, scratch.Start, scratch.LengthBytes) == Errno.None;
                good &= scratch.Holds((index * 100) + round, 0, scratch.LengthBytes);
                s_failures += good ? 0u : 1;
            }
        }

        s_finished++;
        s_allFinished = s_finished == BlockThreads;
        Scheduler.Notify();
    }

    private static void ControlEcho(ref Check check)
    {
        ByteChannel? control = s_devices!.Control;
        if (control == null)
        {
            check.Skip("no control channel");
            return;
        }

        ulong deadline = Clock.NowNs() + (2 * SecondNs);
        while (!control.Connected && Clock.NowNs() < deadline)
        {
            Scheduler.Sleep(SecondNs / 1000);
        }

        if (!control.Connected)
        {
            check.Skip("nobody is attached to the control channel");
            return;
        }

        const uint TotalBytes = 256 * 1024;
        using Scratch scratch = new(s_frames!, 2 * TotalBytes / PageOperations.PageSize);
        scratch.Fill(9, 0, TotalBytes);
        int written = 0;
        int read = 0;
        deadline = Clock.NowNs() + (20 * SecondNs);
        while (read < TotalBytes && Clock.NowNs() < deadline)
        {
            written += control.Write(scratch.Bytes.Slice(written, (int)TotalBytes - written));
            read += control.Read(scratch.Bytes.Slice((int)TotalBytes + read, (int)TotalBytes - read));
            Scheduler.Yield();
        }

        check.Equal(TotalBytes, (ulong)read, "bytes that came back");
        check.That(scratch.Holds(9, TotalBytes, TotalBytes), "the echo is what was sent");
    }

    private static void SharedMemory(ref Check check)
    {
        if (s_devices!.RegionCount == 0)
        {
            check.Skip("no shared memory");
            return;
        }

        SharedRegion region = s_devices.Region(0);
        check.Succeeded(RingRegionHeader.TryRead(region, out RingRegionHeader header), "reading the header");
        byte* ring = (byte*)region.Base + header.RingAOffset;
        for (ulong offset = 0; offset < header.RingBytes; offset += sizeof(ulong))
        {
            *(ulong*)(ring + offset) = offset * 3;
        }

        bool same = true;
        for (ulong offset = 0; offset < header.RingBytes; offset += sizeof(ulong))
        {
            same &= *(ulong*)(ring + offset) == offset * 3;
            *(ulong*)(ring + offset) = 0;
        }

        check.That(same, "the ring's bytes read back");
    }

    private static void DoorbellBothWays(ref Check check)
    {
        if (s_bellA == null || s_bellB == null)
        {
            check.Skip("fewer than two doorbells");
            return;
        }

        s_bellB.Ring();
        check.That(Rung(s_bellA), "the first is rung by the second");
        check.That(!s_bellA.Acknowledge(), "a ring is taken once");
        s_bellWatch!.Seen = false;
        s_bellA.Ring();
        check.That(Scheduler.WaitUntil(ref s_bellWatch.Seen, Clock.NowNs() + SecondNs), "the second is rung by the first");
    }

    private static bool Rung(Doorbell bell)
    {
        ulong deadline = Clock.NowNs() + SecondNs;
        while (!bell.Acknowledge())
        {
            if (Clock.NowNs() > deadline)
            {
                return false;
            }

            Cpu.Pause();
        }

        return true;
    }

    private static void DoorbellWakes(ref Check check)
    {
        if (s_bellA == null || s_bellB == null)
        {
            check.Skip("fewer than two doorbells");
            return;
        }

        for (int round = 0; round < 50; round++)
        {
            s_bellWatch!.Seen = false;
            s_bellA.Ring();
            ulong start = Clock.NowNs();
            bool woken = Scheduler.WaitUntil(ref s_bellWatch.Seen, start + SecondNs);
            if (!check.That(woken && Clock.NowNs() - start < SecondNs / 2, "a ring wakes the thread that waits for it"))
            {
                return;
            }
        }
    }
}
