// What runs before an image. QEMU's own choice, SeaBIOS, takes longer than the image's whole start; qboot (QEMU ships it for its machine
// type microvm) only finds memory and ACPI tables and enters the image. It assigns no PCI addresses: the images do (PciAssignment).

using System.IO;

namespace Lego.Racks;

/// <summary>Chooses the firmware of machines that run our images.</summary>
internal static class Firmware
{
    /// <summary>Where the distributions put it; QEMU finds it by its name in the same place.</summary>
    private const string QuickPath = "/usr/share/qemu/qboot.rom";

    /// <summary>The quick one's path, or null where only QEMU's own choice is there.</summary>
    public static string? Path { get; } = File.Exists(QuickPath) ? QuickPath : null;
}
