// What this component remembers of names and attributes, and the call-backs that end it. Serves opcode group 7.
//
// The walk of a look-up: where the path leads is remembered or asked for (RememberedPaths), and so are the attributes of what is there
// (RememberedAttributes); LeaseClock.cs says what may be believed. A p that is alone on a volume is never called back, but by the memory
// component's write-back, which changes a file's times and blocks.
//
// A call-back is answered in the poller, because its sender keeps others waiting meanwhile, and they may be this component's workers. What
// is held for files that are not open any more is given back afterwards by a thread.

using System;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Lego.Kernel;

namespace Lego.Processor;

/// <summary>Names and attributes that are held by leases.</summary>
public sealed unsafe class FileLeases : RpcService
{
    /// <summary>Where the service registers itself with the endpoint.</summary>
    public const byte OpcodeGroup = (byte)((ushort)Opcode.Recall >> 8);

    private readonly FileNodes _nodes;
    private WaitQueue _calledBack;
    private bool _isCalledBack;
    private ulong _recalls;

    /// <summary>Takes the memory; boot time.</summary>
    public FileLeases(FrameAllocator frames, FileNodes nodes)
    {
        _nodes = nodes;
        Clock = new LeaseClock(frames);
        Paths = new RememberedPaths(frames, Clock);
        Attributes = new RememberedAttributes(frames, Clock);
    }

    public LeaseClock Clock { get; }

    public RememberedPaths Paths { get; }

    public RememberedAttributes Attributes { get; }

    /// <summary>Adds the counters of this part.</summary>
    public void Report(ref StatisticsWriter writer)
    {
        writer.Add("processor.leases.path_hits"u8, Paths.Hits);
        writer.Add("processor.leases.path_misses"u8, Paths.Misses);
        writer.Add("processor.leases.recalls"u8, _recalls);
    }

    /// <inheritdoc/>
    public override bool IsIdempotent(Opcode opcode) => true;

    /// <inheritdoc/>
    public override RpcDisposition TryHandle(ref RpcRequest request)
    {
        if (!TryParse(ref request, out RecallRequest head, out ReadOnlySpan<uint> keys))
        {
            request.Reply(Errno.EPROTO);
            return RpcDisposition.Done;
        }

        Forget(in head, keys);
        request.Reply(Errno.None);
        if (_nodes.KeepsAny)
        {
            _isCalledBack = true;
            _calledBack.WakeAll();
        }

        return RpcDisposition.Done;
    }

    /// <summary>From now on what is kept of files is given back when they lose a name. Boot time.</summary>
    public void Start()
    {
        if (Scheduler.Spawn(new GivingBack(this), null, "leases"u8) == null)
        {
            Panic.Because("FileLeases.Start: no memory for the thread");
        }
    }

    private void Forget(in RecallRequest head, ReadOnlySpan<uint> keys)
    {
        _recalls++;
        if (head.Count == LeaseKeys.Everything)
        {
            Clock.ForgetAll();
        }

        foreach (uint key in keys)
        {
            Clock.Forget(key);
        }
    }

    private sealed unsafe class GivingBack(FileLeases leases) : ThreadBody
    {
        public override void Run(void* argument)
        {
            while (true)
            {
                while (!leases._isCalledBack)
                {
                    leases._calledBack.Wait();
                }

                leases._isCalledBack = false;
                leases._nodes.GiveBackCalled();
            }
        }
    }

    private static bool TryParse(ref RpcRequest request, out RecallRequest head, out ReadOnlySpan<uint> keys)
    {
        keys = default;
        if (!request.TryReadHead(out head, out ReadOnlySpan<byte> rest))
        {
            return false;
        }

        bool isEverything = head.Count == LeaseKeys.Everything;
        if (!isEverything && (head.Count > LeaseKeys.Most || rest.Length != (int)head.Count * sizeof(uint)))
        {
            return false;
        }

        keys = isEverything ? default : MemoryMarshal.Cast<byte, uint>(rest);
        return true;
    }
}
