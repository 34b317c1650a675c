// Where the build leaves the images and the assemblies that they are made from.

using System;
using System.IO;
using System.Linq;
using Xunit;

namespace Lego.Tests.Images;

/// <summary>Files of the build.</summary>
internal static class ImageFiles
{
    /// <summary>The linked image of a component.</summary>
    internal static string ImageOf(string image) => Existing(Path.Combine(RepositoryRoot(), "out", "images", image + ".elf"));

    /// <summary>The newest build of the assembly that ilc compiled, of a project in a folder of the repository.</summary>
    internal static string AssemblyOf(string folder, string name)
    {
        string objects = Path.Combine(RepositoryRoot(), folder, "obj");
        string? newest = !Directory.Exists(objects) ? null : Directory.GetFiles(objects, name + ".dll", SearchOption.AllDirectories)
            // reference assemblies
            .Where(path => !Path.GetFileName(Path.GetDirectoryName(path)!).StartsWith("ref", StringComparison.Ordinal))
            .MaxBy(File.GetLastWriteTimeUtc);
        return Existing(newest ?? Path.Combine(objects, name + ".dll"));
    }

    private static string Existing(string path)
    {
        Assert.True(File.Exists(path), $"{path} is missing: build the images first (dotnet build LegoKernel.sln)");
        return path;
    }

    private static string RepositoryRoot()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder != null && !File.Exists(Path.Combine(folder.FullName, "LegoKernel.sln")))
        {
            folder = folder.Parent;
        }

        return folder?.FullName ?? throw new InvalidOperationException("LegoKernel.sln not found above the test binaries");
    }
}
