// docs/protocol.md is held against the sources: every opcode with its number, every message structure with its size and fields.

using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Lego.Fabric;
using Lego.Fabric.Messages;
using Xunit;

namespace Lego.Tests.Fabric;

public sealed class ProtocolDocumentTests
{
    private static readonly string s_text = File.ReadAllText(Path.Combine(Root(), "docs", "protocol.md"));

    [Fact]
    public void Every_opcode_is_described_under_its_number()
    {
        IEnumerable<string> missing = Enum.GetValues<Opcode>()
            .Where(opcode => opcode != Opcode.None)
            .Select(opcode => $"| `{opcode}` | 0x{(int)opcode:x4} |")
            .Where(row => !s_text.Contains(row, StringComparison.Ordinal));
        AssertNone(missing);
    }

    [Fact]
    public void Every_message_structure_is_listed_with_its_size_and_fields()
    {
        IEnumerable<string> missing = typeof(Opcode).Assembly.GetTypes()
            .Where(type => type.Namespace == typeof(Opcode).Namespace && type is { IsValueType: true, IsEnum: false, IsNested: false })
            .Append(typeof(MessageHeader))
            .Select(RowOf)
            .Where(row => !s_text.Contains(row, StringComparison.Ordinal));
        AssertNone(missing);
    }

    [Fact]
    public void Every_value_of_the_header_enumerations_is_named()
    {
        string[] names = [.. Enum.GetNames<MessageKind>(), .. Enum.GetNames<RpcClass>(), .. Enum.GetNames<MessageFlags>()];
        AssertNone(names.Where(name => name != "None" && !s_text.Contains($"`{name}`", StringComparison.Ordinal)));
    }

    private static void AssertNone(IEnumerable<string> missing) =>
        Assert.True(!missing.Any(), $"docs/protocol.md lacks:\n{string.Join("\n", missing)}");

    private static string RowOf(Type type)
    {
        FieldInfo[] fields = type.GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance);
        return $"| `{type.Name}` | {Marshal.SizeOf(type)} | {string.Join(", ", fields.Select(field => $"{NameOf(field)} {field.Name}"))} |";
    }

    private static string NameOf(FieldInfo field) =>
        field.GetCustomAttribute<FixedBufferAttribute>() is { } buffer
            ? $"{NameOf(buffer.ElementType)}[{buffer.Length}]"
            : NameOf(field.FieldType);

    private static string NameOf(Type type) =>
        type.IsEnum ? NameOf(Enum.GetUnderlyingType(type))
        : type == typeof(byte) ? "u8"
        : type == typeof(ushort) ? "u16"
        : type == typeof(uint) ? "u32"
        : type == typeof(ulong) ? "u64"
        : type.Name;

    private static string Root([CallerFilePath] string path = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(path)!, "../../.."));
}
