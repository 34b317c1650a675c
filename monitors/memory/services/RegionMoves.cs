// Live migration of vRegions: the home of a space takes them from a component that is being drained, while programs run. A vRegion moves
// a piece at a time, at most 64 pages in one block, so that no page is sent twice, no one has to note what is written meanwhile, and
// nobody waits for longer than a piece takes. Between two pieces the vRegion is in two runs, each with one owner, as any other vRegions
// are: a move that ends there, because somebody failed or has no memory, is no special state.
//
// A piece has these states. "Serves" is said of Miss, Flush and MissFlush; who does not serve says EREMOTE.
//
//   state       home says   old owner             target                    next
//   idle        old         serves                nothing                   Expect -> target: expecting
//   expecting   old         serves                takes pages (PutPages)    Send -> old: sending; an error: giving back
//   sending     old         frozen: has the       takes pages               old has sent all: handing over; an error of old or of the
//                           pages, serves none                              target, or no answer: giving back
//   handing     old         frozen                Own: serves; but nobody   its answer: the home says target, in the same step of its code;
//   over                                          is sent there yet         an error or no answer: giving back
//   handed over target      frozen, then Forget   serves                    old has answered or failed: idle, target is the owner
//   giving back old         Own: serves again     Forget: nothing           both have answered or failed: idle, old is the owner
//
// What follows:
//   * One component at most serves a page to those who ask where the home says: the home names the target only after the old owner
//     has stopped, and the old owner is told to serve again only after the home has made up its mind not to name the target.
//   * No flush is lost: the old owner serves none after it has begun to send, so what it sends is all that it ever took; the target
//     serves none before it has all that. A MissFlush whose victim was refused is refused as a whole.
//   * A page that has been flushed to the target is never served by the old owner: that is frozen until it has forgotten the piece.
//   * Whoever changes a space or forks it waits until no piece of it is on its way, and a piece waits for them (BeginChange): so each of
//     them meets runs with one owner each, and the parts of a child are made where the home says that its pages are.
//   * Each phase but that Expect and Send share one has a number of its own, which grows. A part refuses lower ones, so a phase whose
//     answer did not come in time does nothing when it is carried out late; nor do pages of it (PutPages).
//   * If the old owner fails, its pages are lost as they are without a move. If the target fails before it is named, old serves
//     again and nothing is lost; afterwards it is an owner that has failed. One exception: a target that pages of the space have moved away
//     from before may be asked by who has not heard of that. If it does not answer to Own it may have taken a flush, so it is named.
//
// A processor component learns of new owners from EREMOTE: it asks the home (Owners), which answers between two pieces, and sends its
// request again (processor/excache/ExCache.Owners.cs). Each end of a piece's move counts the version of the owners up, moved or not, so
// that who was refused by a frozen owner tries again there, and who is refused twice under one version knows that the page is lost.
//
// One thread, one piece at a time. Everything blocks and looks the space up again after each wait.

using System;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Memory;

/// <summary>Moves what drained components own.</summary>
internal sealed unsafe class RegionMoves : ThreadBody
{
    private const int PiecePages = PageBlock.Pages;
    private const ulong RetryNs = 50_000_000;
    /// <summary>Failures in a row after which nothing is tried but when the manager asks.</summary>
    private const uint Patience = 50;
    /// <summary>A phase that must be heard of is said so often; each time takes until the other side answers or counts as silent.</summary>
    private const int MostTries = 3;

    private readonly RpcEndpoint _rpc;
    private readonly AddressSpaces _spaces;
    private readonly FileCache _files;
    private readonly RegionBroker _broker;
    private readonly DrainedOwners _drained;
    private readonly RegionOwners _owners;
    /// <summary>Whoever waits for the end of a piece's move, or of a change.</summary>
    private WaitQueue _turns;
    private WaitQueue _work;
    /// <summary>The vRegion that is being moved, and where to.</summary>
    private SpaceName _space;
    private ulong _region;
    private ushort _target;
    private uint _failures;
    private Errno _lastError;
    private ulong _pieces;
    private ulong _pages;
    private ulong _givenBack;
    private ulong _longestPauseNs;

    internal RegionMoves(
        RpcEndpoint rpc, AddressSpaces spaces, FileCache files, RegionBroker broker, DrainedOwners drained, RegionOwners owners)
    {
        _rpc = rpc;
        _spaces = spaces;
        _files = files;
        _broker = broker;
        _drained = drained;
        _owners = owners;
    }

    /// <summary>
    /// A request that concerns owners of a space's vRegions begins: no piece is on its way until <see cref="EndChange"/>. The space may
    /// have ended meanwhile.
    /// </summary>
    [Blocks]
    internal void BeginChange(in SpaceName name)
    {
        AddressSpace* space = Find(in name);
        if (space != null)
        {
            space->Changes++;
        }

        AwaitPiece(in name);
    }

    /// <summary>It has ended, and perhaps the space.</summary>
    internal void EndChange(in SpaceName name)
    {
        AddressSpace* space = Find(in name);
        if (space != null)
        {
            space->Changes--;
        }

        _turns.WakeAll();
    }

    /// <summary>The owners of a space are asked for between two pieces: as a change, so that the next piece does not come first.</summary>
    [Blocks]
    internal void AwaitOwners(in SpaceName name)
    {
        BeginChange(in name);
        EndChange(in name);
    }

    /// <summary>Waits until no piece of a space is on its way, or the space has ended.</summary>
    [Blocks]
    private void AwaitPiece(in SpaceName name)
    {
        for (AddressSpace* space = Find(in name); space != null && space->IsMoving; space = Find(in name))
        {
            _turns.Wait();
        }
    }

    /// <summary>The manager's wish, and what has become of it so far.</summary>
    internal DrainReply Drain(in DrainRequest request)
    {
        if (request.IsDrained != 0 && !_drained.Contains(request.Node))
        {
            _failures = 0;
            _pages = 0;
            _longestPauseNs = 0;
        }

        _drained.Set(request.Node, request.IsDrained != 0);
        _work.WakeAll();
        return new DrainReply
        {
            RunsLeft = _spaces.CountRunsOf(_drained.All, uint.MaxValue, out _, out _) + _owners.GrantsUnderWay,
            Failures = _failures,
            Pages = _pages,
            LongestPauseNs = _longestPauseNs,
            LastError = (uint)_lastError,
        };
    }

    /// <summary>A component's life has ended: what it owned is lost.</summary>
    internal void Departed(ushort node) => _drained.Set(node, isDrained: false);

    /// <summary>The thread: moves a piece after the other for as long as there is one.</summary>
    public override void Run(void* argument)
    {
        while (true)
        {
            uint count = _drained.IsEmpty ? 0 : _spaces.CountRunsOf(_drained.All, 0, out _, out _);
            if (count == 0)
            {
                _work.Wait();
                continue;
            }

            // After a failure another one is tried first: one that cannot be moved must not keep the rest.
            _spaces.CountRunsOf(_drained.All, _failures % count, out SpaceName name, out RegionRun run);
            Errno error = MoveFirst(in name, in run);
            if (error is Errno.None or Errno.EAGAIN)
            {
                _failures = 0;
                continue;
            }

            _failures++;
            _lastError = error;
            _target = 0;
            if (_failures < Patience)
            {
                Scheduler.Sleep(RetryNs);
            }
            else
            {
                // Until somebody asks again: a piece that cannot move must not be held up for ever.
                _work.Wait();
            }
        }
    }

    /// <summary>Counters.</summary>
    internal void Report(ref StatisticsWriter writer)
    {
        writer.Add("memory.pieces_moved"u8, _pieces);
        writer.Add("memory.pieces_given_back"u8, _givenBack);
        writer.Add("memory.pages_moved"u8, _pages);
    }

    private AddressSpace* Find(in SpaceName name) => name.Number == 0 ? null : _spaces.Find(in name);

    /// <summary>
    /// Moves the first piece of a run. EAGAIN: the space is not as it was any more; ENOMEM and whatever else has kept the piece where it
    /// is.
    /// </summary>
    [Blocks]
    private Errno MoveFirst(in SpaceName name, in RegionRun run)
    {
        ulong region = run.Start & ~(_spaces.RegionBytes - 1);
        ulong end = Math.Min(run.End, region + _spaces.RegionBytes);
        if (_target == 0 || _drained.Contains(_target) || region != _region || name.Number != _space.Number)
        {
            Errno chosen = Choose(in name, region);
            if (chosen != Errno.None)
            {
                return chosen;
            }
        }

        if (_target == _rpc.Node && !_files.MakeRoom(PiecePages))
        {
            return Errno.ENOMEM;
        }

        for (AddressSpace* wanted = Find(in name); wanted != null && wanted->Changes != 0; wanted = Find(in name))
        {
            _turns.Wait();
        }

        AddressSpace* space = Find(in name);
        if (space == null || RegionTable.OwnerOf(space, run.Start, out ulong runEnd) != run.Owner || runEnd < end || _target == run.Owner)
        {
            return space == null || _target != run.Owner ? Errno.EAGAIN : Errno.EBUSY;
        }

        Errno error = _spaces.ReserveChange(space);
        if (error != Errno.None)
        {
            return error;
        }

        space->IsMoving = true;
        error = Move(in name, run.Start, end, run.Owner, _target);
        _spaces.GiveUpChange();
        space = Find(in name);
        if (space != null)
        {
            space->IsMoving = false;
            space->Moves++;
        }
        else if (_spaces.Find(name.VNode, name.Asid) == null)
        {
            // Whoever was told of it after its end keeps nothing.
            _owners.End(in name, [run.Owner, _target]);
        }

        _turns.WakeAll();
        return error;
    }

    /// <summary>The manager names the component that a vRegion goes to.</summary>
    [Blocks]
    private Errno Choose(in SpaceName name, ulong region)
    {
        Span<OwnerRun> runs = stackalloc OwnerRun[OwnerRun.Most];
        RegionDemand demand = new() { Start = region, End = region + _spaces.RegionBytes };
        Errno error = _broker.Consult(name.VNode, name.Asid, demand, runs, out _, out _);
        if (error != Errno.None)
        {
            return error;
        }

        _space = name;
        _region = region;
        _target = runs[0].Owner;
        return _drained.Contains(_target) ? Errno.EHOSTDOWN : Errno.None;
    }

    /// <summary>From idle to idle. An error: the piece is where it was.</summary>
    [Blocks]
    private Errno Move(in SpaceName name, ulong start, ulong end, ushort from, ushort to)
    {
        bool isHere = to == _rpc.Node;
        MoveRequest request = new() { Start = start, Length = end - start, Number = name.Number };
        AddressSpace* space = Find(in name);
        request.Processor = space->Processor;
        request.Step = ++space->Moves;
        request.Peer = from;
        request.Phase = MovePhase.Expect;
        Errno error = isHere ? _spaces.Expect(space, start, end - start, from) : Call(in name, to, in request, out _);
        ulong began = Clock.NowNs();
        MoveReply sent = default;
        if (error == Errno.None)
        {
            request.Peer = to;
            request.Phase = MovePhase.Send;
            error = Call(in name, from, in request, out sent);
        }

        bool isSound = sent.End > start && sent.End <= end && AddressLayout.IsPageAligned(sent.End);
        error = error == Errno.None && !isSound ? Errno.EPROTO : error;
        if (error == Errno.None && !isHere)
        {
            request.Length = sent.End - start;
            space = Find(in name);
            error = Tell(in name, to, MovePhase.Own, space != null && HasGivenAway(space, to) ? MostTries : 1, ref request);
            space = Find(in name);
            bool mayServe = error is (Errno.EHOSTDOWN or Errno.ETIMEDOUT or Errno.ENOBUFS) && space != null && HasGivenAway(space, to);
            error = mayServe ? Errno.None : error;
        }

        space = Find(in name);
        if (space == null)
        {
            return Errno.EAGAIN;
        }

        if (error == Errno.None)
        {
            ExpectNothing(space, isHere);
            _spaces.ChangeOwner(space, start, sent.End, to);
            space->FormerOwners |= BitOf(from);
            request.Length = sent.End - start;
            Tell(in name, from, MovePhase.Forget, MostTries, ref request);
            _pieces++;
            _pages += sent.Pages;
        }
        else
        {
            _givenBack++;
            if (isHere)
            {
                _spaces.DropExpected(space, start, end);
            }
            else
            {
                request.Length = end - start;
                Tell(in name, to, MovePhase.Forget, 1, ref request);
            }

            request.Length = end - start;
            Tell(in name, from, MovePhase.Own, MostTries, ref request);
        }

        _longestPauseNs = Math.Max(_longestPauseNs, Clock.NowNs() - began);
        return error;
    }

    /// <summary>
    /// Pages of the space have moved away from the component before, so somebody may still take it for their owner.
    /// </summary>
    private static bool HasGivenAway(AddressSpace* space, ushort node) => (space->FormerOwners & BitOf(node)) != 0;

    private static ulong BitOf(ushort node) => 1UL << (node & 63);

    private static void ExpectNothing(AddressSpace* space, bool isHere)
    {
        if (isHere)
        {
            AddressSpaces.ExpectNothing(space);
        }
    }

    /// <summary>One phase, in a number of its own each time that it is said.</summary>
    [Blocks]
    private Errno Tell(in SpaceName name, ushort node, MovePhase phase, int tries, ref MoveRequest request)
    {
        request.Phase = phase;
        Errno error = Errno.ESRCH;
        for (int tried = 0; tried < tries; tried++)
        {
            AddressSpace* space = Find(in name);
            if (space == null)
            {
                return Errno.ESRCH;
            }

            request.Step = ++space->Moves;
            error = Call(in name, node, in request, out _);
            if (error is not (Errno.ETIMEDOUT or Errno.ENOBUFS or Errno.ESTALE or Errno.ENOMEM))
            {
                break;
            }
        }

        return error;
    }

    [Blocks]
    private Errno Call(in SpaceName name, ushort node, in MoveRequest request, out MoveReply reply) => _rpc.Call(
        node, Opcode.Move, new RpcContext { VNode = name.VNode, Asid = name.Asid }, in request, default, out reply);
}
