// The network stack as a library (tools/netstack), by its C interface: what tests call of netstack.h.

using System;
using System.IO;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lego.Tests.Network;

/// <summary>struct lego_address.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct LegoAddress
{
    internal AddressBytes Address;
    internal ushort Port;
    internal uint Scope;

    /// <summary>IPv4, as ::ffff:a.b.c.d.</summary>
    internal static LegoAddress Of(System.Net.IPAddress address, ushort port = 0)
    {
        LegoAddress made = new() { Port = port };
        address.MapToIPv6().GetAddressBytes().CopyTo(made.Address);
        return made;
    }

    [InlineArray(16)]
    internal struct AddressBytes
    {
        private byte _first;
    }
}

internal static unsafe partial class NetStackLibrary
{
    private const string Name = "netstack";

    static NetStackLibrary() => NativeLibrary.SetDllImportResolver(typeof(NetStackLibrary).Assembly,
        (name, _, _) => name == Name ? NativeLibrary.Load(Path.Combine(Root, "out", "netstack", "libnetstack.so")) : 0);

    /// <summary>The repository.</summary>
    internal static string Root { get; } = FindRoot();

    [LibraryImport(Name, EntryPoint = "lego_node_create")]
    internal static partial nint CreateNode(void* memory, ulong bytes, byte* hardwareAddress, uint mtu, ulong seed, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_node_add_address")]
    internal static partial int AddAddress(nint node, in LegoAddress address, uint prefixBits, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_node_input")]
    internal static partial void Input(nint node, byte* frame, uint bytes, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_node_output")]
    internal static partial int Output(nint node, byte* buffer, uint capacity);

    [LibraryImport(Name, EntryPoint = "lego_node_advance")]
    internal static partial void Advance(nint node, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_node_deadline")]
    internal static partial ulong Deadline(nint node);

    [LibraryImport(Name, EntryPoint = "lego_node_counters")]
    internal static partial uint Counters(nint node, byte* text, uint capacity);

    [LibraryImport(Name, EntryPoint = "lego_socket")]
    internal static partial int Socket(nint node, int version, int type, int protocol, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_bind")]
    internal static partial int Bind(nint node, int socket, in LegoAddress local);

    [LibraryImport(Name, EntryPoint = "lego_listen")]
    internal static partial int Listen(nint node, int socket, int backlog);

    [LibraryImport(Name, EntryPoint = "lego_accept")]
    internal static partial int Accept(nint node, int socket, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_connect")]
    internal static partial int Connect(nint node, int socket, in LegoAddress remote, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_send")]
    internal static partial long Send(nint node, int socket, byte* bytes, uint length, int flags, LegoAddress* to, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_receive")]
    internal static partial long Receive(nint node, int socket, byte* buffer, uint capacity, int flags, LegoAddress* from, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_shutdown")]
    internal static partial int Shutdown(nint node, int socket, int how, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_close")]
    internal static partial int Close(nint node, int socket, int resets, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_set_option")]
    internal static partial int SetOption(nint node, int socket, int option, int value, ulong nowNs);

    [LibraryImport(Name, EntryPoint = "lego_get_option")]
    internal static partial int GetOption(nint node, int socket, int option);

    [LibraryImport(Name, EntryPoint = "lego_poll")]
    internal static partial int Poll(nint node, int socket);

    [LibraryImport(Name, EntryPoint = "lego_take_error")]
    internal static partial int TakeError(nint node, int socket);

    [LibraryImport(Name, EntryPoint = "lego_state")]
    internal static partial int State(nint node, int socket);

    private static string FindRoot([CallerFilePath] string thisFile = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", ".."));
}
