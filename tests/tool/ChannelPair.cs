// Two joined control channels, and a keeper of a few lines that plays a script: what the tests talk to in place of a rack.

using System;
using System.IO;
using System.Net.Sockets;
using System.Threading.Tasks;

namespace Lego.Tool.Tests;

/// <summary>Both ends of one control channel.</summary>
internal sealed class ChannelPair : IDisposable
{
    private readonly Socket _nearSocket;

    public ChannelPair()
    {
        using SocketPair pair = new();
        _nearSocket = pair.TakeFirst();
        Near = new ControlChannel(_nearSocket);
        using SocketPair rest = pair;
        Far = new ControlChannel(new Socket(new SafeSocketHandle(Mono.Unix.Native.Syscall.dup(pair.Second), ownsHandle: true)));
    }

    public ControlChannel Near { get; }

    public ControlChannel Far { get; }

    public void SendRaw(byte[] bytes) => _nearSocket.Send(bytes);

    public void Dispose()
    {
        Near.Dispose();
        Far.Dispose();
    }
}

/// <summary>Listens like a keeper and hands its one client to a script.</summary>
internal sealed class FakeKeeper : IDisposable
{
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"lego-test-{Guid.NewGuid():N}");
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    public FakeKeeper(Func<ControlChannel, Task> script)
    {
        _listener.Bind(new UnixDomainSocketEndPoint(_path));
        _listener.Listen();
        Script = Task.Run(async () =>
        {
            using ControlChannel channel = new(await _listener.AcceptAsync());
            await script(channel);
        });
    }

    public Task Script { get; }

    public async Task<KeeperClient> ConnectAsync() => (await KeeperClient.TryConnectAsync(_path))!;

    public void Dispose()
    {
        _listener.Dispose();
        File.Delete(_path);
    }
}
