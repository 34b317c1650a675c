// The protocol by which a page changes its owner (monitors/memory/services/RegionMoves.cs), as a model that is explored in full: a home,
// two memory components that own the page in turn, and a processor component that flushes and fetches it with records that may be old.
// Messages arrive in any order, or so late that their sender has given up waiting; a memory component may fail at any step.
// What must hold: a fetch gives what was flushed last; a page is lost only with the component that the home names.

using System;
using System.Collections.Generic;
using System.Linq;
using Xunit;

namespace Lego.Tests.Memory;

public sealed class RegionMoveModelTests
{
    private const int Home = 2;
    private const int Processor = 3;
    private const int Nobody = -1;
    private const int Lost = -2;
    private const int MostFlushes = 2;

    private enum Kind { Expect, Send, Own, Forget, Put, Answer, PutAnswer, Flush, Fetch, Served, Ask, Told }

    private enum Phase { Idle, Expecting, Sending, HandingOver, Forgetting, TakingBack, GivingBack }

    /// <summary>
    /// A message. Value: the page's contents, or the version of the owners; Step: the phase, or which try of the processor's.
    /// </summary>
    private readonly record struct Message(Kind Kind, int From, int To, int Step, int Value, bool IsGood)
    {
        /// <summary>All of it in a number, so that states are compared quickly.</summary>
        internal int Code => (int)Kind | (From << 4) | (To << 6) | (Step << 8) | ((Value + 1) << 14) | (IsGood ? 1 << 20 : 0);
    }

    /// <summary>A memory component's part of the space: one page.</summary>
    private readonly record struct Owner(bool Serves, bool IsFrozen, bool Expects, int Moves, int Page, bool IsDead, int SendStep);

    /// <summary>All of the model.</summary>
    private sealed record State
    {
        internal Owner A { get; init; }
        internal Owner B { get; init; }
        internal Phase Phase { get; init; }
        internal int Named { get; init; }
        internal int Step { get; init; }
        internal int Version { get; init; }
        internal int MovesLeft { get; init; }
        internal int Former { get; init; }
        internal int TakeBacks { get; init; }
        internal int Known { get; init; }
        internal int Flushed { get; init; }
        internal int Try { get; init; }
        internal bool IsFetching { get; init; }
        internal bool IsBusy { get; init; }
        internal bool IsAsking { get; init; }
        internal int Told { get; init; }
        internal int Failures { get; init; }
        internal int Lates { get; init; }
        internal string Messages { get; init; } = "";
        internal Message[] Mail { get; init; } = [];

        internal Owner At(int node) => node == 0 ? A : B;

        internal State With(int node, Owner owner) => node == 0 ? this with { A = owner } : this with { B = owner };

        internal State Post(Message message) => With([.. Mail, message]);

        internal State Without(Message message) => With([.. Mail.Where((_, index) => index != Array.IndexOf(Mail, message))]);

        private State With(Message[] mail)
        {
            Array.Sort(mail, (left, right) => left.Code.CompareTo(right.Code));
            return this with
            {
                Mail = mail,
                Messages = string.Create(2 * mail.Length, mail, (text, messages) =>
                {
                    for (int index = 0; index < messages.Length; index++)
                    {
                        text[2 * index] = (char)(messages[index].Code & 0xffff);
                        text[(2 * index) + 1] = (char)(messages[index].Code >> 16);
                    }
                }),
            };
        }

        public bool Equals(State? other) => other is not null && Key == other.Key;

        public override int GetHashCode() => Key.GetHashCode();

        private (Owner, Owner, Phase, int, int, (int, int, int, int), (int, int, int, bool, bool, bool, int), (int, int, string)) Key =>
            (A, B, Phase, Named, Step, (Version, MovesLeft, Former, TakeBacks), (Known, Flushed, Try, IsFetching, IsBusy, IsAsking, Told),
                (Failures, Lates, Messages));
    }

    [Theory]
    [InlineData(3, 0, 0)]
    [InlineData(2, 1, 0)]
    [InlineData(3, 0, 1)]
    public void No_flush_is_lost_and_no_former_owner_serves_whatever_is_late_and_whoever_fails(int moves, int failures, int lates)
    {
        State start = new()
        {
            A = new Owner(true, false, false, 0, 0, false, 0),
            B = new Owner(false, false, false, 0, Nobody, false, 0),
            Told = Nobody,
            MovesLeft = moves,
            Failures = failures,
            Lates = lates,
        };
        HashSet<State> seen = [start];
        Queue<State> open = new(seen);
        bool hasMoved = false;
        while (open.TryDequeue(out State? state))
        {
            hasMoved |= state.Named == 1 && state.IsFetching && !state.IsBusy;
            foreach (State next in Next(state))
            {
                if (seen.Add(next))
                {
                    open.Enqueue(next);
                }
            }
        }

        Assert.True(hasMoved);
        Assert.InRange(seen.Count, 1_000, 5_000_000);
    }

    private static IEnumerable<State> Next(State state)
    {
        foreach (Message message in state.Mail.Distinct())
        {
            yield return Deliver(state.Without(message), message);
        }

        for (int node = 0; node < 2 && state.Failures > 0; node++)
        {
            yield return state.With(node, state.At(node) with { IsDead = true }) with { Failures = state.Failures - 1 };
        }

        if (state.Phase == Phase.Idle && state.MovesLeft > 0 && !state.At(1 - state.Named).IsDead)
        {
            State moving = state with { MovesLeft = state.MovesLeft - 1, Step = state.Step + 1, Phase = Phase.Expecting };
            yield return moving.Post(new Message(Kind.Expect, Home, 1 - state.Named, moving.Step, 0, true));
        }

        if (state.Phase != Phase.Idle && state.Lates > 0)
        {
            yield return Go(state with { Lates = state.Lates - 1 }, isGood: false, isUncertain: true);
        }

        if (state.Phase != Phase.Idle && state.At(Peer(state)).IsDead)
        {
            yield return Go(state, isGood: false, isUncertain: true);
        }

        // Flush, fetch, flush, fetch.
        if (!state.IsBusy && state.Told != Lost && (!state.IsFetching || state.Flushed < MostFlushes))
        {
            bool fetches = !state.IsFetching && state.Flushed > 0;
            yield return Ask(state with
            {
                Flushed = state.Flushed + (fetches ? 0 : 1),
                IsBusy = true,
                IsFetching = fetches,
                Told = Nobody,
            });
        }
    }

    /// <summary>The processor component sends its request to the owner that it knows.</summary>
    private static State Ask(State state)
    {
        State asked = state with { Try = state.Try + 1 };
        return asked.Post(new Message(state.IsFetching ? Kind.Fetch : Kind.Flush, Processor, state.Known, asked.Try, state.Flushed, true));
    }

    private static State Deliver(State state, Message message) => message.To switch
    {
        Home when message.Kind == Kind.Ask => state.Phase == Phase.Idle
            ? state.Post(new Message(Kind.Told, Home, Processor, state.Named, state.Version, true))
            : state.Post(message),
        Home => IsAwaited(state, message) ? Go(state, message.IsGood, message.Value == Nobody) : state,
        Processor => Hear(state, message),
        _ => Serve(state, message),
    };

    private static int Peer(State state) => state.Phase is Phase.Expecting or Phase.HandingOver or Phase.TakingBack ? 1 - state.Named
        : state.Phase == Phase.Forgetting ? 1 - state.Named : state.Named;

    private static bool IsAwaited(State state, Message answer) =>
        state.Phase != Phase.Idle && answer.Step == state.Step && answer.From == Peer(state);

    /// <summary>The home goes on: a phase has ended, well or not, or nobody knows how.</summary>
    private static State Go(State state, bool isGood, bool isUncertain)
    {
        int from = state.Named;
        int to = 1 - from;
        State Tell(State next, Kind kind, int node, Phase phase, int steps) => (next with { Step = next.Step + steps, Phase = phase })
            .Post(new Message(kind, Home, node, next.Step + steps, to, true));
        State idle = state with { Phase = Phase.Idle, Version = state.Version + 1, TakeBacks = 0 };
        switch (state.Phase)
        {
            case Phase.Expecting when isGood:
                return Tell(state, Kind.Send, from, Phase.Sending, 0);
            case Phase.Sending when isGood:
                return Tell(state, Kind.Own, to, Phase.HandingOver, 1);
            case Phase.HandingOver when isUncertain && (state.Former & (1 << to)) != 0 && !state.At(to).IsDead && state.TakeBacks < 2:
                return Tell(state with { TakeBacks = state.TakeBacks + 1 }, Kind.Own, to, Phase.HandingOver, 1);
            case Phase.HandingOver when isGood || (isUncertain && (state.Former & (1 << to)) != 0):
                State named = state with { Named = to, Former = state.Former | (1 << from), TakeBacks = 0 };
                return Tell(named, Kind.Forget, from, Phase.Forgetting, 1);
            case Phase.Expecting or Phase.Sending or Phase.HandingOver:
                return Tell(state, Kind.Forget, to, Phase.TakingBack, 1);
            case Phase.TakingBack:
                return Tell(state, Kind.Own, from, Phase.GivingBack, 1);
            case Phase.GivingBack when isUncertain && !state.At(from).IsDead && state.TakeBacks < 2:
                return Tell(state with { TakeBacks = state.TakeBacks + 1 }, Kind.Own, from, Phase.GivingBack, 1);
            default:
                return idle;
        }
    }

    private static State Hear(State state, Message message)
    {
        if (message.Kind == Kind.Told)
        {
            // Refused twice under one version: the page is lost.
            State told = state with { IsAsking = false, Known = message.Step };
            if (state.Told == message.Value)
            {
                Assert.True(state.At(state.Named).IsDead, "a page is lost although its owner lives");
                return told with { IsBusy = false, Told = Lost };
            }

            return Ask(told with { Told = message.Value });
        }

        if (message.Step != state.Try || state.IsAsking)
        {
            return state;
        }

        if (!message.IsGood)
        {
            return (state with { IsAsking = true }).Post(new Message(Kind.Ask, Processor, Home, 0, 0, true));
        }

        Assert.True(!state.IsFetching || message.Value == state.Flushed, "a fetch gives an older page");
        return state with { IsBusy = false };
    }

    private static State Serve(State state, Message message)
    {
        int node = message.To;
        Owner owner = state.At(node);
        State Answer(State next, bool isGood, int value = 0) => next.Post(message.Kind is Kind.Flush or Kind.Fetch
            ? new Message(Kind.Served, node, Processor, message.Step, value, isGood)
            : new Message(message.Kind == Kind.Put ? Kind.PutAnswer : Kind.Answer, node, message.From, message.Step, value, isGood));
        if (owner.IsDead)
        {
            // Whoever waits hears of the failure; answers of a call that nobody waits for are nothing.
            return message.Kind == Kind.PutAnswer ? state : Answer(state, false, Nobody);
        }

        switch (message.Kind)
        {
            case Kind.Flush:
                return Answer(owner.Serves ? state.With(node, owner with { Page = message.Value }) : state, owner.Serves);
            case Kind.Fetch:
                return Answer(state, owner.Serves, owner.Page);
            case Kind.Put:
                bool isExpected = owner.Expects && owner.Moves == message.Step;
                return Answer(isExpected ? state.With(node, owner with { Page = message.Value }) : state, isExpected);
            case Kind.PutAnswer:
                bool isCurrent = owner.SendStep == message.Step && owner.Moves == message.Step;
                State heard = isCurrent ? state.With(node, owner with { SendStep = 0 }) : state;
                return isCurrent ? heard.Post(new Message(Kind.Answer, node, Home, message.Step, 0, message.IsGood)) : heard;
        }

        if (message.Step <= owner.Moves)
        {
            return Answer(state, false);
        }

        owner = owner with { Moves = message.Step };
        switch (message.Kind)
        {
            case Kind.Expect:
                return Answer(state.With(node, owner with { Expects = true, Serves = false, IsFrozen = false, Page = Nobody }), true);
            case Kind.Send when owner.Serves || owner.IsFrozen:
                return state.With(node, owner with { Serves = false, IsFrozen = true, SendStep = message.Step })
                    .Post(new Message(Kind.Put, node, message.Value, message.Step, owner.Page, true));
            case Kind.Own when owner.Expects || owner.IsFrozen || owner.Serves:
                return Answer(state.With(node, owner with { Expects = false, IsFrozen = false, Serves = true }), true);
            case Kind.Forget:
                return Answer(state.With(node, owner with { Expects = false, IsFrozen = false, Serves = false, Page = Nobody }), true);
            default:
                return Answer(state.With(node, owner), false);
        }
    }
}
