// Cases about network cards: pairs of them, each joined by a hub. The full machine has a pair of virtio-net and a pair of e1000, in the
// order of their slots. With spin_us=0 on the boot line the waits show that interrupts arrive.

using System;
using Lego.Drivers;
using Lego.Kernel;

namespace Lego.Suites;

/// <summary>The same cases for each kind of card.</summary>
public static unsafe class NetCases
{
    private const int VirtioPair = 0;
    private const int E1000Pair = 1;
    private const int Pairs = 2;
    private const int HeaderBytes = 14;
    private const ulong SecondNs = 1_000_000_000;

    private static readonly Watch?[] s_watches = new Watch?[Pairs];
    private static DeviceSet? s_devices;
    private static FrameAllocator? s_frames;

    public static void Register(CaseList cases, DeviceSet devices, FrameAllocator frames)
    {
        s_devices = devices;
        s_frames = frames;
        for (int pair = 0; pair < Pairs; pair++)
        {
            bool exists = devices.CardCount >= 2 * (pair + 1);
            s_watches[pair] = new Watch { Card = exists ? devices.Card((2 * pair) + 1) : null };
            Poller.Register(s_watches[pair]!);
        }

        cases.Add("net.frames-arrive-whole-and-in-order", &VirtioInOrder);
        cases.Add("net.a-frame-wakes-a-waiting-thread", &VirtioWakes);
        cases.Add("net.a-full-ring-empties-again", &VirtioFullRing);
        cases.Add("e1000.frames-arrive-whole-and-in-order", &E1000InOrder);
        cases.Add("e1000.a-frame-wakes-a-waiting-thread", &E1000Wakes);
        cases.Add("e1000.a-full-ring-empties-again", &E1000FullRing);
        cases.Add("e1000.the-card-has-a-link", &E1000Link);
    }

    private static void VirtioInOrder(ref Check check) => InOrder(ref check, VirtioPair);

    private static void VirtioWakes(ref Check check) => Wakes(ref check, VirtioPair);

    private static void VirtioFullRing(ref Check check) => FullRing(ref check, VirtioPair);

    private static void E1000InOrder(ref Check check) => InOrder(ref check, E1000Pair);

    private static void E1000Wakes(ref Check check) => Wakes(ref check, E1000Pair);

    private static void E1000FullRing(ref Check check) => FullRing(ref check, E1000Pair);

    private static void E1000Link(ref Check check)
    {
        if (TryCards(ref check, E1000Pair, out NetDevice from, out _))
        {
            check.That(from.HasLink, "a card on a hub has a carrier");
        }
    }

    private static bool TryCards(ref Check check, int pair, out NetDevice from, out NetDevice to)
    {
        DeviceSet devices = s_devices!;
        from = devices.Card(2 * pair);
        to = devices.Card((2 * pair) + 1);
        if (devices.CardCount < 2 * (pair + 1))
        {
            check.Skip("no such pair of network cards");
            return false;
        }

        while (to.TryReceive(out _))
        {
            to.ReleaseReceived();
        }

        return true;
    }

    private static void WriteHeader(Span<byte> header, ulong destination, ulong source)
    {
        for (int index = 0; index < 6; index++)
        {
            header[index] = (byte)(destination >> ((5 - index) * 8));
            header[6 + index] = (byte)(source >> ((5 - index) * 8));
        }

        header[12] = 0x88;
        header[13] = 0xB5;
    }

    private static bool TryReceive(NetDevice card, out ReadOnlySpan<byte> frame)
    {
        ulong deadline = Clock.NowNs() + SecondNs;
        while (!card.TryReceive(out frame))
        {
            if (Clock.NowNs() > deadline)
            {
                return false;
            }

            Cpu.Pause();
        }

        return true;
    }

    private static void InOrder(ref Check check, int pair)
    {
        if (!TryCards(ref check, pair, out NetDevice from, out NetDevice to))
        {
            return;
        }

        using Scratch scratch = new(s_frames!, 3);
        Span<byte> header = stackalloc byte[HeaderBytes];
        WriteHeader(header, to.MacAddress, from.MacAddress);
        int longest = from.MaxFrameBytes - HeaderBytes;
        check.That(longest >= 9000, "frames are jumbo");
        // The watch would take the frames in Poll; it only looks while nothing has been seen.
        s_watches[pair]!.Seen = true;
        for (int round = 0; round < 200; round++)
        {
            int length = round % 3 == 0 ? longest : 64 + (round * 13 % (longest - 64));
            scratch.Fill((ulong)round, 0, scratch.LengthBytes);
            ReadOnlySpan<byte> payload = scratch.Bytes[..length];
            bool sent = from.TrySend(header, payload[..(length / 3)], payload[(length / 3)..]);
            bool received = TryReceive(to, out ReadOnlySpan<byte> frame);
            if (!check.That(sent, "there is room to send") || !check.That(received, "the frame arrives"))
            {
                return;
            }

            bool same = frame.Length == HeaderBytes + length && frame[HeaderBytes..].SequenceEqual(payload)
                && frame[..HeaderBytes].SequenceEqual(header);
            check.That(same, "the frame is what was sent");
            to.ReleaseReceived();
            from.Poll();
        }
    }

    private static void Wakes(ref Check check, int pair)
    {
        if (!TryCards(ref check, pair, out NetDevice from, out NetDevice to))
        {
            return;
        }

        Span<byte> frame = stackalloc byte[64];
        frame.Clear();
        WriteHeader(frame, to.MacAddress, from.MacAddress);
        for (int round = 0; round < 50; round++)
        {
            s_watches[pair]!.Seen = false;
            check.That(from.TrySend(frame, default, default), "there is room to send");
            bool woken = Scheduler.WaitUntil(ref s_watches[pair]!.Seen, Clock.NowNs() + SecondNs);
            to.ReleaseReceived();
            from.Poll();
            if (!check.That(woken, "a frame wakes the thread that waits for it"))
            {
                return;
            }
        }
    }

    private static void FullRing(ref Check check, int pair)
    {
        if (!TryCards(ref check, pair, out NetDevice from, out NetDevice to))
        {
            return;
        }

        s_watches[pair]!.Seen = true;
        Span<byte> frame = stackalloc byte[64];
        frame.Clear();
        WriteHeader(frame, to.MacAddress, from.MacAddress);
        // Far more than both rings hold: what the receiver cannot take is lost, as on any wire, but the cards go on.
        uint sent = 0;
        for (int round = 0; round < 1000; round++)
        {
            sent += from.TrySend(frame, default, default) ? 1u : 0;
        }

        check.That(sent > 0, "some frames are sent");
        ulong deadline = Clock.NowNs() + (SecondNs / 10);
        while (Clock.NowNs() < deadline)
        {
            from.Poll();
            if (to.TryReceive(out _))
            {
                to.ReleaseReceived();
            }
        }

        frame[63] = 0x77;
        check.That(from.TrySend(frame, default, default), "the ring has room again");
        check.That(TryReceive(to, out ReadOnlySpan<byte> received) && received[63] == 0x77, "a later frame arrives");
        to.ReleaseReceived();
    }
}
