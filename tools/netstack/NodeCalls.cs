// The C interface (netstack.h): nodes, frames, time, what is counted.

using System;
using System.Runtime;
using System.Runtime.CompilerServices;
using Lego.Kernel;

namespace Lego.NetStack;

/// <summary>Calls about a node.</summary>
internal static unsafe class NodeCalls
{
    /// <summary>What a handle stands for.</summary>
    internal static Node Of(nint handle) => Unsafe.As<nint, Node>(ref handle);

    /// <summary>0, or minus the error.</summary>
    internal static int Result(Errno error) => -(int)error;

    [RuntimeExport("lego_node_create")]
    private static nint Create(void* memory, ulong bytes, byte* hardwareAddress, uint mtuBytes, ulong seed, ulong nowNs)
    {
        const ulong PageMask = PageOperations.PageSize - 1;
        const int HardwareAddressBytes = 6;
        if (((ulong)memory & PageMask) != 0 || mtuBytes is < Ipv6Header.MinimumMtu or > ushort.MaxValue)
        {
            return 0;
        }

        ulong address = MacAddress.Read(new ReadOnlySpan<byte>(hardwareAddress, HardwareAddressBytes));
        Node? node = Startup.Make(memory, bytes / PageOperations.PageSize, address, (int)mtuBytes, seed, nowNs);
        return Unsafe.As<Node?, nint>(ref node);
    }

    [RuntimeExport("lego_node_add_address")]
    private static int AddAddress(nint handle, SocketAddress* address, uint prefixBits, ulong nowNs)
    {
        Node node = Of(handle);
        node.Stack.Clock.NowNs = nowNs;
        Errno error = prefixBits > byte.MaxValue ? Errno.EINVAL
            : node.Stack.Configuration.Add(node.Interface, address->Address, (byte)prefixBits, isDynamic: false);
        node.Settle();
        return Result(error);
    }

    [RuntimeExport("lego_node_set_router")]
    private static int SetRouter(nint handle, SocketAddress* router, ulong nowNs)
    {
        Node node = Of(handle);
        node.Stack.Clock.NowNs = nowNs;
        return Result(node.Stack.Configuration.SetRouter(node.Interface, router->Address, RouteOrigin.Boot));
    }

    [RuntimeExport("lego_node_set_carrier")]
    private static void SetCarrier(nint handle, int hasCarrier, ulong nowNs)
    {
        Node node = Of(handle);
        node.Stack.SetCarrier(node.Interface, hasCarrier != 0, nowNs);
        node.Settle();
    }

    [RuntimeExport("lego_node_input")]
    private static void Input(nint handle, byte* frame, uint lengthBytes, ulong nowNs)
    {
        Node node = Of(handle);
        node.Stack.OnFrame(node.Interface, new ReadOnlySpan<byte>(frame, (int)lengthBytes), nowNs);
        node.Settle();
    }

    [RuntimeExport("lego_node_output")]
    private static int Output(nint handle, byte* buffer, uint capacityBytes) =>
        Of(handle).Sent.Take(new Span<byte>(buffer, (int)capacityBytes));

    [RuntimeExport("lego_node_advance")]
    private static void Advance(nint handle, ulong nowNs) => Of(handle).Advance(nowNs);

    [RuntimeExport("lego_node_deadline")]
    private static ulong Deadline(nint handle) => Of(handle).Stack.NextDeadlineNs;

    [RuntimeExport("lego_node_counters")]
    private static uint Counters(nint handle, byte* text, uint capacityBytes)
    {
        StatisticsWriter writer = new(new Span<byte>(text, (int)capacityBytes));
        Of(handle).Stack.Report(ref writer);
        return (uint)writer.Text.Length;
    }
}
