// Tables on standard output: Spectre's on a terminal, tab-separated lines elsewhere (so that scripts can cut them).

using System;
using System.Collections.Generic;
using Spectre.Console;

namespace Lego.Tool;

/// <summary>Prints tables.</summary>
internal static class TextTable
{
    public static void Print(IReadOnlyList<string> headers, IEnumerable<string[]> rows)
    {
        if (Console.IsOutputRedirected)
        {
            Console.WriteLine(string.Join('\t', headers));
            foreach (string[] row in rows)
            {
                Console.WriteLine(string.Join('\t', row));
            }

            return;
        }

        AnsiConsole.Write(Make(headers, rows));
    }

    /// <summary>The table for a terminal.</summary>
    public static Table Make(IReadOnlyList<string> headers, IEnumerable<string[]> rows)
    {
        Table table = new Table().Border(TableBorder.Rounded);
        foreach (string header in headers)
        {
            table.AddColumn(header.EscapeMarkup());
        }

        foreach (string[] row in rows)
        {
            table.AddRow(Array.ConvertAll(row, Markup.Escape));
        }

        return table;
    }
}
