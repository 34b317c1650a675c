// What the pages hear: server-sent events (HTML Standard, 9.2), each with its kind and JSON. Of some kinds a page that comes later needs
// the latest (a picture of the rack), of others all of the last minutes (points of charts, lines of logs); the feed keeps them for it.

using System.Collections.Generic;
using System.Linq;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading;
using System.Threading.Channels;

namespace Lego.Dashboard;

/// <summary>Hands events to all pages.</summary>
internal sealed class Feed
{
    /// <summary>Five minutes of points, or the end of the logs.</summary>
    private const int KeptItems = 300;
    /// <summary>A page that is so far behind loses the oldest.</summary>
    private const int MostWaiting = 64;

    private readonly Lock _lock = new();
    private readonly List<Channel<SseItem<string>>> _pages = [];
    private readonly Dictionary<string, object> _latest = [];
    private readonly Dictionary<string, List<object>> _items = [];

    /// <summary>Something that takes the place of what was said of this kind before.</summary>
    public void Tell(string kind, object state)
    {
        lock (_lock)
        {
            _latest[kind] = state;
            Send(EventOf(kind, state));
        }
    }

    /// <summary>Items that come after those said of this kind before.</summary>
    public void Append(string kind, IReadOnlyList<object> added)
    {
        if (added.Count == 0)
        {
            return;
        }

        lock (_lock)
        {
            if (!_items.TryGetValue(kind, out List<object>? kept))
            {
                kept = [];
                _items[kind] = kept;
            }

            kept.AddRange(added);
            kept.RemoveRange(0, int.Max(kept.Count - KeptItems, 0));
            Send(EventOf(kind, added.TakeLast(KeptItems)));
        }
    }

    /// <summary>First what is kept, then what comes, until the page goes or the server stops.</summary>
    public async IAsyncEnumerable<SseItem<string>> ReadAsync(
        CancellationToken stopping, [EnumeratorCancellation] CancellationToken cancellation = default)
    {
        Channel<SseItem<string>> page = Channel.CreateBounded<SseItem<string>>(
            new BoundedChannelOptions(MostWaiting) { FullMode = BoundedChannelFullMode.DropOldest });
        lock (_lock)
        {
            foreach ((string kind, List<object> kept) in _items)
            {
                page.Writer.TryWrite(EventOf(kind, kept));
            }

            foreach ((string kind, object state) in _latest)
            {
                page.Writer.TryWrite(EventOf(kind, state));
            }

            _pages.Add(page);
        }

        // A stopping server ends the answer in good order.
        using CancellationTokenRegistration stop = stopping.Register(() => page.Writer.TryComplete());
        try
        {
            await foreach (SseItem<string> item in page.Reader.ReadAllAsync(cancellation))
            {
                yield return item;
            }
        }
        finally
        {
            lock (_lock)
            {
                _pages.Remove(page);
            }
        }
    }

    private static SseItem<string> EventOf(string kind, object content) =>
        new(JsonSerializer.Serialize(content, JsonSerializerOptions.Web), kind);

    private void Send(SseItem<string> item)
    {
        foreach (Channel<SseItem<string>> page in _pages)
        {
            page.Writer.TryWrite(item);
        }
    }
}
