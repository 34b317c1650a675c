// A directory for the files of one command, under the host's directory for temporary ones. It goes with the command; after a kill of the
// tool, with the next start: its owner is an entry among the racks, which Sweep finds dead (RackDirectory.cs).

using System;
using System.IO;

namespace Lego.Racks;

/// <summary>A directory that outlives nobody.</summary>
internal sealed class ScratchDirectory : IDisposable
{
    private readonly RackDirectory _owner;

    public ScratchDirectory(string purpose)
    {
        _owner = RackDirectory.TryCreate($"{purpose}-{Guid.NewGuid():N}")!;
        Path = Directory.CreateTempSubdirectory($"lego-{purpose}-").FullName;
        _owner.Own(Path);
    }

    public string Path { get; }

    /// <summary>Notes a file elsewhere that goes when this goes; call before making the file.</summary>
    public void Own(string file) => _owner.Own(file);

    public void Dispose() => _owner.Dispose();
}
