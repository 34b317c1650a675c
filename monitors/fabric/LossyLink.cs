// A link that misbehaves on purpose: drops, doubles, holds back (which delays and reorders) and corrupts frames of another link, by a
// seeded schedule. Host tests wrap links in it; an image does when its boot line asks for faults. The wrapped link must not be a reliable
// one in the endpoint's eyes, so this one never claims to be.

using System;
using Lego.Kernel;

namespace Lego.Fabric;

/// <summary>How often each fault happens, in thousandths of all frames sent.</summary>
public struct LossRates
{
    public uint Drop;
    public uint Duplicate;
    public uint Hold;
    public uint Corrupt;
}

/// <summary>Wraps the sending side of a link.</summary>
public sealed unsafe class LossyLink : Link
{
    private const int HeldFrames = 8;
    private const uint Scale = 1000;

    private readonly Link _inner;
    private readonly LossRates _rates;
    private readonly int _slotBytes;
    private readonly byte* _held;
    private readonly int[] _heldBytes = new int[HeldFrames];
    private readonly ushort[] _heldTo = new ushort[HeldFrames];
    private readonly uint[] _heldTurns = new uint[HeldFrames];
    private XorShift _random;
    private ulong _faults;

    /// <summary>Boot time. The same seed and the same frames give the same faults.</summary>
    public LossyLink(Link inner, LossRates rates, ulong seed, FrameAllocator frames)
    {
        _inner = inner;
        _rates = rates;
        _random = new XorShift(seed);
        _slotBytes = (inner.MaxFrameBytes + PageOperations.PageSize - 1) & ~(PageOperations.PageSize - 1);
        _held = (byte*)frames.AllocateContiguous((ulong)(_slotBytes / PageOperations.PageSize * (HeldFrames + 1)));
        if (_held == null)
        {
            Panic.Because("LossyLink: no memory at boot");
        }
    }

    /// <inheritdoc/>
    public override int MaxFrameBytes => _inner.MaxFrameBytes;

    /// <inheritdoc/>
    public override int WindowBytes => _inner.WindowBytes;

    /// <inheritdoc/>
    public override LinkTraits Traits => _inner.Traits & LinkTraits.SameMachine;

    /// <inheritdoc/>
    public override bool Failed => _inner.Failed;

    /// <inheritdoc/>
    public override bool TrySend(ushort destinationNode, ReadOnlySpan<byte> header, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        if (Chance(_rates.Drop))
        {
            return true;
        }
        // The copy behind the held frames is where a frame is changed.
        Span<byte> copy = new(_held + (HeldFrames * _slotBytes), _slotBytes);
        header.CopyTo(copy);
        a.CopyTo(copy.Slice(header.Length));
        b.CopyTo(copy.Slice(header.Length + a.Length));
        int lengthBytes = header.Length + a.Length + b.Length;
        if (Chance(_rates.Corrupt))
        {
            copy[(int)(Next() % (ulong)lengthBytes)] ^= (byte)(1 << (int)(Next() % 8));
        }

        if (Chance(_rates.Hold) && Hold(destinationNode, copy.Slice(0, lengthBytes)))
        {
            return true;
        }

        if (Chance(_rates.Duplicate))
        {
            Forward(destinationNode, copy.Slice(0, lengthBytes));
        }

        return Forward(destinationNode, copy.Slice(0, lengthBytes));
    }

    /// <inheritdoc/>
    public override bool TryReceive(out ReadOnlySpan<byte> frame)
    {
        ReleaseHeld();
        return _inner.TryReceive(out frame);
    }

    /// <inheritdoc/>
    public override void Release() => _inner.Release();

    /// <inheritdoc/>
    public override void ArmWakeup() => _inner.ArmWakeup();

    /// <inheritdoc/>
    public override void DisarmWakeup() => _inner.DisarmWakeup();

    /// <inheritdoc/>
    public override void AddTo(ref LinkCounters totals)
    {
        _inner.AddTo(ref totals);
        totals.Faults += _faults;
    }

    private bool Forward(ushort destinationNode, ReadOnlySpan<byte> frame) =>
        _inner.TrySend(destinationNode, frame.Slice(0, MessageHeader.SizeBytes), frame.Slice(MessageHeader.SizeBytes), default);

    private bool Hold(ushort destinationNode, ReadOnlySpan<byte> frame)
    {
        for (int slot = 0; slot < HeldFrames; slot++)
        {
            if (_heldBytes[slot] != 0)
            {
                continue;
            }

            frame.CopyTo(new Span<byte>(_held + (slot * _slotBytes), _slotBytes));
            _heldBytes[slot] = frame.Length;
            _heldTo[slot] = destinationNode;
            _heldTurns[slot] = (uint)(Next() % 64);
            return true;
        }

        return false;
    }

    /// <summary>Held frames go out after a random number of polls.</summary>
    private void ReleaseHeld()
    {
        for (int slot = 0; slot < HeldFrames; slot++)
        {
            if (_heldBytes[slot] != 0 && _heldTurns[slot]-- == 0)
            {
                Forward(_heldTo[slot], new ReadOnlySpan<byte>(_held + (slot * _slotBytes), _heldBytes[slot]));
                _heldBytes[slot] = 0;
            }
        }
    }

    private bool Chance(uint perMille)
    {
        if (perMille == 0 || Next() % Scale >= perMille)
        {
            return false;
        }

        _faults++;
        return true;
    }

    private ulong Next() => _random.Next();
}
