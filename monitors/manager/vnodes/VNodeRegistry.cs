// The vNodes of the rack, and what the manager tells other components of them (VNodeMessages.cs). Soft state: a life of the manager hears
// first from the storage component which vNodes there are (Learn), and until then knows of none and refuses none. A number is given again
// only when all others have been given; none that a component still knows for another root (EEXIST from there).
//
// Who may speak for a vNode: the memory components (each on behalf of its spaces and of the files that it caches), the manager, and the
// processor components on which it has been started. All of them are told before a program of it starts, and again whenever somebody has
// joined, because a component's admissions end with its life. What sends messages BLOCKS.

using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Manager.VNodes;

/// <summary>The table of vNodes.</summary>
public sealed unsafe class VNodeRegistry
{
    private const int WordBits = 64;
    private const int WordsOfNode = (RpcEndpoint.MaxNode + 1) / WordBits;
    /// <summary>Tries to find a number that nobody knows; each life before may have left as many as a table holds.</summary>
    private const int MostTries = 2 * VNodeTable.Most;
    private const ulong PauseNs = 20_000_000;
    /// <summary>Ten seconds.</summary>
    private const int SpacePatience = 500;

    private readonly RpcEndpoint _endpoint;
    private readonly MembershipTable _members;
    private readonly VNode[] _vnodes = new VNode[VNodeTable.Most];
    /// <summary>For each entry the nodes on which it has been started.</summary>
    private readonly ulong[] _started = new ulong[VNodeTable.Most * WordsOfNode];
    /// <summary>For each entry the epoch in which everybody has been told of it as it is, or 0.</summary>
    private readonly uint[] _told = new uint[VNodeTable.Most];
    /// <summary>Held while everybody is told, so that no older list overtakes a newer one.</summary>
    private SleepLock _telling;
    private ushort _lastNumber;

    /// <summary>Boot time.</summary>
    public VNodeRegistry(RpcEndpoint endpoint, MembershipTable members)
    {
        _endpoint = endpoint;
        _members = members;
        _endpoint.VNodes.IsLearning = true;
        for (int index = 0; index < _vnodes.Length; index++)
        {
            _vnodes[index] = new VNode();
        }
    }

    /// <summary>
    /// Begins: asks the storage component for the vNodes of a former manager and tells everybody again. To be called when all members have
    /// joined. Where nobody has ever made one this is one message.
    /// </summary>
    [Blocks]
    public void Learn()
    {
        for (int index = 0; index < _members.Count; index++)
        {
            if (_members[index].Kind == ComponentKind.Storage && _members[index].State != MemberState.Failed)
            {
                LearnFrom(_members[index].Node);
            }
        }

        TellAll();
        _endpoint.VNodes.IsLearning = false;
    }

    /// <summary>Waits until <see cref="Learn"/> has ended.</summary>
    [Blocks]
    public void AwaitLearned()
    {
        while (_endpoint.VNodes.IsLearning)
        {
            Scheduler.Sleep(PauseNs);
        }
    }

    /// <summary>Somebody has joined or gone: tells everybody who may speak for which vNode now.</summary>
    [Blocks]
    public void TellAll()
    {
        for (int place = 0; place < _vnodes.Length; place++)
        {
            VNode vnode = _vnodes[place];
            ushort number = vnode.Number;
            if (number != 0 && Admit(vnode, 0) is not Errno.None and Errno error)
            {
                Log.Warn($"vNode {(int)number}: a component does not take it: error {(int)error}");
            }
        }
    }

    /// <summary>A life has ended: nothing of a vNode runs there any more.</summary>
    public void Departed(ushort node)
    {
        for (int place = 0; place < _vnodes.Length; place++)
        {
            _started[(place * WordsOfNode) + (node / WordBits)] &= ~(1UL << (node % WordBits));
        }
    }

    /// <summary>The entry in a place; its Number is 0 when it is free.</summary>
    public VNode this[int place] => _vnodes[place];

    /// <summary>The vNode with a name, or null.</summary>
    public VNode? Find(ReadOnlySpan<byte> name)
    {
        for (int place = 0; place < _vnodes.Length; place++)
        {
            if (_vnodes[place].Number != 0 && _vnodes[place].Name.SequenceEqual(name))
            {
                return _vnodes[place];
            }
        }

        return null;
    }

    /// <summary>The vNode with a number, or null.</summary>
    public VNode? Find(ushort number)
    {
        VNode vnode = _vnodes[VNodeTable.PlaceOf(number)];
        return number != 0 && vnode.Number == number ? vnode : null;
    }

    /// <summary>
    /// Makes a vNode and tells everybody. EEXIST: the name is taken; ENOSPC: there are as many as there may be; the storage component's
    /// errors about the root; errors of the fabric.
    /// </summary>
    [Blocks]
    public Errno Create(ReadOnlySpan<byte> name, ReadOnlySpan<byte> root, ulong memoryBytes, uint processes)
    {
        for (int tries = 0; tries < MostTries; tries++)
        {
            if (Find(name) != null)
            {
                return Errno.EEXIST;
            }

            VNode? vnode = TakeNumber();
            if (vnode == null)
            {
                return Errno.ENOSPC;
            }

            vnode.Set(name, root);
            vnode.MemoryBytes = memoryBytes;
            vnode.Processes = processes;
            Errno error = Admit(vnode, 0);
            if (error == Errno.None)
            {
                return Errno.None;
            }

            Withdraw(vnode);
            if (error != Errno.EEXIST)
            {
                return error;
            }
        }

        return Errno.ENOSPC;
    }

    /// <summary>A program of a vNode is about to start on a processor component. ESRCH: there is no such vNode.</summary>
    [Blocks]
    public Errno AdmitAt(ushort number, ushort processor)
    {
        if (number == 0)
        {
            return Errno.None;
        }

        AwaitLearned();
        VNode? vnode = Find(number);
        return vnode == null ? Errno.ESRCH : Admit(vnode, processor);
    }

    /// <summary>
    /// Ends all processes of a vNode; those that are left are counted. They end soon. Errors of the fabric: not all have been counted.
    /// </summary>
    [Blocks]
    public Errno End(VNode vnode, out VNodeUsage left) => Ask(vnode, Opcode.EndVNode, out left);

    /// <summary>What a vNode uses, on all components together. Errors of the fabric: on those that have answered.</summary>
    [Blocks]
    public Errno UsageOf(VNode vnode, out VNodeUsage usage) => Ask(vnode, Opcode.VNodeStatus, out usage);

    /// <summary>
    /// Takes a vNode away. EBUSY: it has processes, or the memory of those that have ended does not go; errors of the fabric.
    /// </summary>
    [Blocks]
    public Errno Remove(VNode vnode)
    {
        ushort number = vnode.Number;
        Errno error = UsageOf(vnode, out VNodeUsage usage);
        for (int tries = 0; error == Errno.None && usage.Processes == 0 && usage.Spaces != 0 && tries < SpacePatience; tries++)
        {
            // What ends a space at its owners is said in the vNode's name.
            Scheduler.Sleep(PauseNs);
            error = UsageOf(vnode, out usage);
        }

        if (error != Errno.None || usage.Processes != 0 || usage.Spaces != 0)
        {
            return error != Errno.None ? error : Errno.EBUSY;
        }

        if (vnode.Number == number)
        {
            Withdraw(vnode);
        }

        return Errno.None;
    }

    private static ReadOnlySpan<byte> AsBytes<T>(in T value) where T : unmanaged =>
        MemoryMarshal.AsBytes(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.AsRef(in value), 1));

    private void LearnFrom(ushort storage)
    {
        Span<byte> reply = stackalloc byte[sizeof(AdmitRequest) + AdmitRequest.MaxName + AdmitRequest.MaxRoot
            + (RpcEndpoint.MaxNode * sizeof(ushort))];
        VNodeRequest request = default;
        while (true)
        {
            Errno error = _endpoint.Call(storage, Opcode.NextVNode, default, AsBytes(in request), default, reply, out int length);
            if (error == Errno.ETIMEDOUT)
            {
                // Slow or gone: in the second case it is soon EHOSTDOWN, and a rack without storage ends.
                continue;
            }

            AdmitRequest known = length < sizeof(AdmitRequest) ? default : MemoryMarshal.Read<AdmitRequest>(reply);
            ReadOnlySpan<byte> rest = reply.Slice(sizeof(AdmitRequest), Math.Max(length - sizeof(AdmitRequest), 0));
            bool isSound = known.VNode > request.VNode
                && rest.Length == known.NameLength + known.RootLength + (known.NodeCount * sizeof(ushort));
            if (error != Errno.None || !isSound)
            {
                if (error != Errno.ENOENT)
                {
                    Log.Warn($"storage node {(int)storage} does not tell which vNodes there are: error {(int)error}");
                }

                return;
            }

            Adopt(in known, rest);
            request.VNode = known.VNode;
        }
    }

    private void Adopt(in AdmitRequest known, ReadOnlySpan<byte> rest)
    {
        int place = VNodeTable.PlaceOf(known.VNode);
        VNode vnode = _vnodes[place];
        vnode.Number = known.VNode;
        vnode.Set(rest.Slice(0, known.NameLength), rest.Slice(known.NameLength, known.RootLength));
        vnode.MemoryBytes = known.MemoryBytes;
        vnode.Processes = known.Processes;
        _lastNumber = known.VNode > _lastNumber ? known.VNode : _lastNumber;
        foreach (ushort node in MemoryMarshal.Cast<byte, ushort>(rest.Slice(known.NameLength + known.RootLength)))
        {
            int member = _members.Find(node);
            if (member >= 0 && _members[member].Kind == ComponentKind.Processor)
            {
                _started[(place * WordsOfNode) + (node / WordBits)] |= 1UL << (node % WordBits);
            }
        }
    }

    /// <summary>The next number whose place is free.</summary>
    private VNode? TakeNumber()
    {
        for (int tries = 0; tries < VNodeTable.Most + 1; tries++)
        {
            _lastNumber++;
            int place = VNodeTable.PlaceOf(_lastNumber);
            if (_lastNumber != 0 && _vnodes[place].Number == 0)
            {
                _vnodes[place].Number = _lastNumber;
                _started.AsSpan(place * WordsOfNode, WordsOfNode).Clear();
                _told[place] = 0;
                return _vnodes[place];
            }
        }

        return null;
    }

    /// <summary>Tells everybody of a vNode that is to run on a processor component, too (0: on none more), unless all know.</summary>
    [Blocks]
    private Errno Admit(VNode vnode, ushort processor)
    {
        using SleepLock.Guard _ = _telling.Acquire();
        int place = VNodeTable.PlaceOf(vnode.Number);
        uint epoch = _members.Epoch;
        if (_told[place] == epoch && (processor == 0 || HasStarted(place, processor)))
        {
            return Errno.None;
        }

        if (processor != 0)
        {
            _started[(place * WordsOfNode) + (processor / WordBits)] |= 1UL << (processor % WordBits);
        }

        _told[place] = 0;
        Errno error = Tell(vnode, place, processor);
        _told[place] = error == Errno.None ? epoch : 0;
        return error;
    }

    private Errno Tell(VNode vnode, int place, ushort processor)
    {
        Span<byte> body = stackalloc byte[AdmitRequest.MaxName + AdmitRequest.MaxRoot + (RpcEndpoint.MaxNode * sizeof(ushort))];
        AdmitRequest admit = new()
        {
            VNode = vnode.Number,
            NameLength = (ushort)vnode.Name.Length,
            RootLength = (ushort)vnode.Root.Length,
            Processes = vnode.Processes,
            MemoryBytes = vnode.MemoryBytes,
        };
        vnode.Name.CopyTo(body);
        vnode.Root.CopyTo(body.Slice(vnode.Name.Length));
        int texts = vnode.Name.Length + vnode.Root.Length;
        Span<byte> nodes = body.Slice(texts);
        for (ushort node = 1; node <= RpcEndpoint.MaxNode; node++)
        {
            if (MaySpeak(place, node))
            {
                MemoryMarshal.Write(nodes.Slice(admit.NodeCount * sizeof(ushort)), in node);
                admit.NodeCount++;
            }
        }

        body = body.Slice(0, texts + (admit.NodeCount * sizeof(ushort)));
        // Those that may speak for it speak to the manager as well: output of programs, owners of memory.
        Errno result = _endpoint.VNodes.Admit(vnode.Number, MemoryMarshal.Cast<byte, ushort>(body.Slice(texts)));
        for (int index = 0; index < _members.Count && result == Errno.None; index++)
        {
            ref Member member = ref _members[index];
            bool isConcerned = member.Kind is ComponentKind.Memory or ComponentKind.Storage || HasStarted(place, member.Node);
            if (isConcerned && member.State != MemberState.Failed)
            {
                Errno error = _endpoint.Call(member.Node, Opcode.AdmitVNode, default, AsBytes(in admit), body, default, out _);
                // Whoever has failed meanwhile serves nobody.
                result = error == Errno.EHOSTDOWN && member.Node != processor ? Errno.None : error;
            }
        }

        return result;
    }

    private bool HasStarted(int place, ushort node) =>
        (_started[(place * WordsOfNode) + (node / WordBits)] & (1UL << (node % WordBits))) != 0;

    private bool MaySpeak(int place, ushort node)
    {
        int member = _members.Find(node);
        return node == _endpoint.Node || HasStarted(place, node) || (member >= 0 && _members[member].Kind == ComponentKind.Memory);
    }

    /// <summary>Adds up what components answer. Those whose life has ended have nothing; the first error of another is told.</summary>
    private Errno Ask(VNode vnode, Opcode opcode, out VNodeUsage total)
    {
        VNodeRequest request = new() { VNode = vnode.Number };
        Errno first = Errno.None;
        total = default;
        for (int index = 0; index < _members.Count; index++)
        {
            ref Member member = ref _members[index];
            bool isAsked = member.Kind == ComponentKind.Processor
                || (member.Kind == ComponentKind.Memory && opcode == Opcode.VNodeStatus);
            if (!isAsked || member.State == MemberState.Failed)
            {
                continue;
            }

            VNodeUsage part = default;
            Errno error = _endpoint.Call(
                member.Node, opcode, default, AsBytes(in request), default, new Span<byte>(&part, sizeof(VNodeUsage)), out _);
            if (error != Errno.None)
            {
                first = first == Errno.None && error != Errno.EHOSTDOWN ? error : first;
                continue;
            }

            total.Processes += part.Processes;
            total.Spaces += part.Spaces;
            total.CpuNs += part.CpuNs;
            total.MemoryBytes += part.MemoryBytes;
            total.PageBytes += part.PageBytes;
        }

        return first;
    }

    /// <summary>Everybody forgets it, then its number's place is free.</summary>
    private void Withdraw(VNode vnode)
    {
        VNodeRequest request = new() { VNode = vnode.Number };
        for (int index = 0; index < _members.Count; index++)
        {
            ref Member member = ref _members[index];
            if (member.Kind is ComponentKind.Processor or ComponentKind.Memory or ComponentKind.Storage
                && member.State != MemberState.Failed)
            {
                _endpoint.Call(member.Node, Opcode.ForgetVNode, default, AsBytes(in request), default, default, out _);
            }
        }

        _endpoint.VNodes.Forget(vnode.Number);
        vnode.Number = 0;
    }
}
