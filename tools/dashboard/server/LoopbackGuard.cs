// Who may ask. The server listens on the loopback, but any page of the web can have the user's browser ask it: under a foreign name that
// resolves to 127.0.0.1 it would even read the answers (DNS rebinding). So a request must name this server as its host (RFC 9110, 7.2 and
// 15.5.20), and one that changes something must come from this server's own page: the Origin header (RFC 6454) says so, and a token that
// only the page has.

using System;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Lego.Dashboard;

/// <summary>Refuses requests from elsewhere.</summary>
internal static class LoopbackGuard
{
    private static readonly string[] s_names = ["127.0.0.1", "localhost"];

    /// <summary>Also tells the browser that the page needs nothing but this server (Content Security Policy Level 3).</summary>
    public static Task RefuseForeignHostsAsync(HttpContext context, RequestDelegate next)
    {
        IHeaderDictionary headers = context.Response.Headers;
        headers.ContentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.CacheControl = "no-store";
        if (IsOwn(context, context.Request.Host.Value))
        {
            return next(context);
        }

        context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
        return context.Response.WriteAsync("This server is the loopback's: 127.0.0.1 or localhost.\n");
    }

    /// <summary>Whether a request comes from a page of this server.</summary>
    public static bool IsFromOwnPage(HttpContext context)
    {
        const string Scheme = "http://";
        string origin = context.Request.Headers.Origin.ToString();
        return origin.StartsWith(Scheme, StringComparison.Ordinal) && IsOwn(context, origin[Scheme.Length..]);
    }

    private static bool IsOwn(HttpContext context, string? host)
    {
        int port = context.Features.GetRequiredFeature<IHttpConnectionFeature>().LocalPort;
        return Array.Exists(s_names, name => host == $"{name}:{port}" || (port == 80 && host == name));
    }
}
