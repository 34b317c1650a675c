// What became of a rack of `lego up` that nobody took down: a sentence in the checkout's runtime directory, from its keeper or from the
// sweep that found it dead, until a command has told the user. Without it the next `run` would boot a rack of its own as if there had never
// been one, and the program would miss what others had left on the first.

using System;
using System.IO;

namespace Lego.Racks;

/// <summary>The note about a rack that ended unasked.</summary>
internal static class FallenRack
{
    private const string Prefix = "fallen-";

    /// <summary>
    /// Leaves the note about the rack of that directory (<see cref="RackDirectory.UpNameOf"/>); <paramref name="sentence"/> says why it has
    /// ended.
    /// </summary>
    public static void Note(string racks, string directory, string sentence) =>
        File.WriteAllText(Path.Combine(racks, Prefix + directory), sentence);

    /// <summary>Tells the user and forgets it, when there is something to tell; <paramref name="consequence"/> ends the sentence.</summary>
    public static void Tell(string? rack, string consequence)
    {
        if (Take(HostPaths.Racks, RackDirectory.UpNameOf(rack)) is { } sentence)
        {
            Console.Error.WriteLine($"lego: the rack that was up has ended: {sentence}; {consequence}");
        }
    }

    /// <summary>The note, which is gone then; null without one.</summary>
    public static string? Take(string racks, string directory)
    {
        string path = Path.Combine(racks, Prefix + directory);
        if (!File.Exists(path))
        {
            return null;
        }

        string sentence = File.ReadAllText(path);
        File.Delete(path);
        return sentence;
    }
}
