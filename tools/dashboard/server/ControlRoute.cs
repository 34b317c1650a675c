// POST /control/ACTION/COMPONENT: what the rack library can do to a component from outside. Refused without --control.

using System;
using System.Collections.Generic;
using System.Globalization;
using System.Threading.Tasks;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Lego.Dashboard;

/// <summary>The route, and its actions.</summary>
internal static class ControlRoute
{
    public const string TokenHeader = "X-Lego-Token";

    private static readonly Dictionary<string, Func<Rack, string, Task<string>>> s_actions = new()
    {
        ["drain"] = DrainAsync,
        ["undrain"] = (rack, component) => SayAsync(rack.UndrainAsync(component), $"{component} may own programs' memory again."),
        ["freeze"] = (rack, component) => SayAsync(rack.FreezeAsync(component), $"{component}'s CPUs stand still."),
        ["thaw"] = (rack, component) => SayAsync(rack.ThawAsync(component), $"{component}'s CPUs go on."),
        ["kill"] = (rack, component) => SayAsync(rack.KillAsync(component), $"{component}'s machine has been killed."),
    };

    public static void Map(WebApplication application, DashboardOptions options, ControlToken token) =>
        application.MapPost("/control/{action}/{component}", (string action, string component, HttpContext context) =>
            AnswerAsync(action, component, context, options, token));

    private static async Task<IResult> AnswerAsync(
        string action, string component, HttpContext context, DashboardOptions options, ControlToken token)
    {
        if (!options.HasControl)
        {
            return Answer(StatusCodes.Status403Forbidden, "This dashboard only shows; ./lego dashboard --control changes things, too.");
        }

        if (!LoopbackGuard.IsFromOwnPage(context) || !token.Is(context.Request.Headers[TokenHeader]))
        {
            return Answer(StatusCodes.Status403Forbidden, "Only the dashboard's own page may do that; load it anew.");
        }

        if (!s_actions.TryGetValue(action, out Func<Rack, string, Task<string>>? act))
        {
            return Answer(StatusCodes.Status404NotFound, $"There is no {action}.");
        }

        try
        {
            await using Rack rack = await Rack.FindUpAsync(options.Rack);
            return Answer(StatusCodes.Status200OK, await act(rack, component));
        }
        catch (ToolException error)
        {
            return Answer(StatusCodes.Status409Conflict, error.Message);
        }
    }

    private static IResult Answer(int status, string sentence) => TypedResults.Text(sentence + "\n", statusCode: status);

    private static async Task<string> DrainAsync(Rack rack, string component)
    {
        DrainReport report = await rack.DrainAsync(component);
        return string.Create(CultureInfo.InvariantCulture,
            $"{component} owns no programs' memory any more: {report.Pages:N0} pages moved.");
    }

    private static async Task<string> SayAsync(Task done, string sentence)
    {
        await done;
        return sentence;
    }
}
