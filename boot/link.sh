#!/bin/sh
# Links an image twice: once to learn where every function lies, then with the symbol table that a panic's backtrace uses (Symbols.cs).
# The table comes after all code and constants, so it moves nothing that it describes.
# usage: link.sh IMAGE.LD OUTPUT.elf FOLDER-WITH-STUBS OBJECT
set -eu
script=$1 output=$2 folder=$3 object=$4

# The entry stubs (kernel/machine/Traps.S) save the vector registers that compiled code uses, which are these two.
strange=$(objdump -d --no-show-raw-insn "$object" | grep -oE '%[xyz]mm[0-9]+|%st' | grep -vxE '%xmm0|%xmm8' | sort -u | tr '\n' ' ' || true)
if [ -n "$strange" ]; then
    echo "link.sh: error: compiled code uses registers that Traps.S does not save: $strange" >&2
    exit 1
fi

link() {
    ld -nostdlib -static -z max-page-size=4096 --no-warn-rwx-segments -z noexecstack -T "$script" -o "$@" "$folder"/*.stub.o "$object"
}

link "$folder/first.elf"
nm -n "$folder/first.elf" | awk '
    tolower($2) == "t" && $1 ~ /^ffffffff/ && !seen[$1]++ {
        address[count] = "0x" substr($1, 9)
        name[count++] = $3
    }
    END {
        print ".section .symbols, \"a\", @progbits\n.align 8\n.global SymbolTable\nSymbolTable:\n.quad " count
        for (i = 0; i < count; i++) print ".long " address[i] " - 0x80000000, N" i " - SymbolTable"
        for (i = 0; i < count; i++) print "N" i ": .asciz \"" name[i] "\""
    }' count=0 > "$folder/symbols.s"
as --64 -o "$folder/symbols.o" "$folder/symbols.s"
link "$output.new" "$folder/symbols.o"
mv "$output.new" "$output"
