// The card of this component's programs. Frames come in by polling, as everything does; the card interrupts only while the machine sleeps
// or a program computes. One poll takes a bounded number of frames, so that a flood leaves time to others. A card does not interrupt for
// what is left in its ring, which was there before: a thread looks at it a moment later, so that a program that only computes has that
// moment.

using System;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Gives the card's frames to the stack.</summary>
public sealed class ProgramsCard : PollSource
{
    private const int FramesPerPoll = 64;
    private const ulong PauseNs = 100_000;

    private readonly NetworkService _network;
    private readonly NetDevice _card;
    private readonly Leftovers _leftovers;
    private int _interface;

    public ProgramsCard(NetworkService network, NetDevice card)
    {
        _network = network;
        _card = card;
        _leftovers = new Leftovers(this);
    }

    /// <summary>
    /// Brings the interface up: with the address of the boot line (<see cref="AddressWord"/>), or by DHCP when there is none. Boot time.
    /// </summary>
    public void Start(ReadOnlySpan<byte> addressWord)
    {
        ulong now = _network.Now();
        NetworkStack stack = _network.Stack;
        _interface = stack.AddInterface(_card.MacAddress, _card.MaxFrameBytes - EthernetHeader.SizeBytes, now);
        if (AddressWord.TryParse(addressWord, out AddressWord word))
        {
            stack.Configuration.Add(_interface, IpAddress.FromV4(word.Address), (byte)word.PrefixBits, isDynamic: false);
            stack.Configuration.SetRouter(_interface, IpAddress.FromV4(word.Router), RouteOrigin.Boot);
        }
        else
        {
            stack.StartDhcp(_interface, now);
        }

        _network.Settle();
    }

    /// <summary>Takes frames; true when there were some.</summary>
    public override bool Poll()
    {
        if (!_card.TryReceive(out ReadOnlySpan<byte> frame))
        {
            return false;
        }

        ulong now = _network.Now();
        int count = 0;
        do
        {
            _network.Stack.OnFrame(_interface, frame, now);
            _card.ReleaseReceived();
            count++;
        }
        while (count < FramesPerPoll && _card.TryReceive(out frame));
        _network.Settle();
        if (count == FramesPerPoll)
        {
            _leftovers.Want();
        }

        return true;
    }

    public override void ArmWakeup() => _card.ArmWakeup();

    public override void DisarmWakeup() => _card.DisarmWakeup();

    private sealed unsafe class Leftovers(ProgramsCard card) : ThreadBody
    {
        private WaitQueue _wanted;
        private bool _isWanted;
        private bool _runs;

        /// <summary>There may be frames that nobody announces. The thread is made when there are some for the first time.</summary>
        internal void Want()
        {
            _isWanted = true;
            _runs = _runs || Scheduler.Spawn(this, null, "frames"u8) != null;
            _wanted.WakeAll();
        }

        public override void Run(void* argument)
        {
            while (true)
            {
                while (!_isWanted)
                {
                    _wanted.Wait();
                }

                _isWanted = false;
                Scheduler.Sleep(PauseNs);
                card.Poll();
            }
        }
    }
}
