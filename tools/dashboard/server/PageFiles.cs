// The page and what it loads: resources of this assembly (wwwroot). The token for changes is written into the page.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Lego.Dashboard;

/// <summary>Serves them.</summary>
internal static class PageFiles
{
    private const string Page = "/index.html";
    private const string TokenPlace = "CONTROL-TOKEN";

    private static readonly Dictionary<string, string> s_types = new()
    {
        [".html"] = "text/html; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".svg"] = "image/svg+xml",
    };

    public static void Map(WebApplication application, ControlToken token)
    {
        string page = Read(Page).Replace(TokenPlace, token.Text, StringComparison.Ordinal);
        application.MapGet("/", () => TypedResults.Text(page, s_types[".html"]));
        foreach (string name in Assembly.GetExecutingAssembly().GetManifestResourceNames().Where(name => name != Page))
        {
            string type = s_types.GetValueOrDefault(Path.GetExtension(name), "text/plain; charset=utf-8");
            string content = Read(name);
            application.MapGet(name, () => TypedResults.Text(content, type));
        }
    }

    private static string Read(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)
            ?? throw new InvalidOperationException($"PageFiles: there is no {name} in the assembly");
        using StreamReader reader = new(stream);
        return reader.ReadToEnd();
    }
}
