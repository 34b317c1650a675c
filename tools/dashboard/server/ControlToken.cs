// What a page must show to change something: a random word of this run of the server, which is in the page.

using System;
using System.Security.Cryptography;
using System.Text;

namespace Lego.Dashboard;

/// <summary>The word; empty when nothing may be changed.</summary>
internal sealed class ControlToken(bool isNeeded)
{
    private const int TokenBytes = 32;

    public string Text { get; } = isNeeded ? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(TokenBytes)) : "";

    /// <summary>Takes as long for a wrong word as for a right one.</summary>
    public bool Is(string? shown) =>
        isNeeded && CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(shown ?? ""), Encoding.UTF8.GetBytes(Text));
}
