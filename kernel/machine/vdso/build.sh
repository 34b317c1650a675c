#!/bin/sh
# Makes the vDSO and an object file of the kernel that holds it.
# usage: build.sh FOLDER-FOR-THE-OUTPUT
set -eu
folder=$1
sources=$(dirname -- "$0")

as --64 -o "$folder/vdso.o" "$sources/Vdso.S"
ld -shared -nostdlib -soname linux-vdso.so.1 --hash-style=both --eh-frame-hdr -Bsymbolic --strip-all -z noexecstack --build-id=none \
    -T "$sources/vdso.ld" -o "$folder/vdso.so" "$folder/vdso.o"
as --64 -I "$folder" -o "$folder/VdsoImage.stub.o" "$sources/VdsoImage.S"
