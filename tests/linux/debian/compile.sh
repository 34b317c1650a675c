# gcc, as, ld, ar and the dynamic linkers of glibc and musl. Run by Debian's bash in an empty directory, here and on a rack; the outputs must be equal.

export LC_ALL=C TMPDIR=$PWD
say() { echo "-- $*"; }

say hello; printf '#include <stdio.h>\nint main(int n, char **v) { printf("hello from %%s, %%d arguments\\n", v[0], n - 1); return 3; }\n' > hello.c
gcc -o hello hello.c; ./hello a b; echo $?; gcc -static -O2 -o static hello.c; ./static; gcc -pipe -o piped hello.c; ./piped x; gcc -E hello.c | tail -n 1; gcc -S -O1 -o - hello.c | grep -c main; gcc -c hello.c; nm hello.o | sort | sed 's/^ *//'; size hello.o | tail -n 1; objdump -d hello.o | sha256sum; strip hello; ./hello; readelf -d hello | grep NEEDED
say errors; echo 'int main(void) { return x; }' > bad.c; gcc bad.c 2>&1; echo $?; gcc none.c 2>&1; gcc -o out hello.o missing.o 2>&1 | head -n 1; echo 'int f(void); int main(void) { return f(); }' | gcc -x c - 2>&1 | sed 's,/[^ ]*/,,g' | tail -n 2
say library; echo 'int counter = 40; int add(int n) { return counter += n; }' > add.c; echo '#include <stdio.h>
int add(int); extern int counter; int main(void) { printf("%d %d\n", add(2), counter); return 0; }' > use.c
gcc -shared -fPIC -O2 -o libadd.so add.c; gcc -o use use.c -L. -ladd -Wl,-rpath,"$PWD"; ./use; ./use; gcc -c add.c -o add.o; ar rcs libown.a add.o; ar t libown.a; gcc -o archived use.c libown.a; ./archived; ldd use | sed 's/ (0x.*//; s,/.*/libadd,libadd,' | sort | grep -v vdso; LD_PRELOAD=$PWD/libadd.so ./hello; echo $?; mv libadd.so gone.so; ./use 2>&1; echo $?
say musl; musl-gcc -O1 -o musl hello.c; ./musl one; echo $?; musl-gcc -static -o musl-static hello.c; ./musl-static; readelf -l musl | grep interpreter
say large; gawk 'BEGIN {
	print "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <math.h>\nstruct node { int key; struct node *left, *right; };\nstatic unsigned long digest = 5381;\nstatic void mix(unsigned long v) { digest = digest * 33 ^ v; }"
	for (i = 0; i < 12; i++) {
		printf "static unsigned long f%d(unsigned long x)\n{\n\tunsigned long a[%d];\n\tfor (int i = 0; i < %d; i++)\n\t\ta[i] = x * %d + i * i;\n\treturn a[x %% %d] ^ (unsigned long)(sqrt(x) * %d);\n}\n", i, i + 3, i + 3, i * 7 + 1, i + 3, i
	}
	print "static struct node *insert(struct node *n, int key)\n{\n\tif (!n) {\n\t\tn = calloc(1, sizeof *n);\n\t\tn->key = key;\n\t} else if (key < n->key)\n\t\tn->left = insert(n->left, key);\n\telse\n\t\tn->right = insert(n->right, key);\n\treturn n;\n}\nstatic void walk(struct node *n) { if (n) { walk(n->left); mix(n->key); walk(n->right); } }\nstatic unsigned long (*table[])(unsigned long) = {"
	for (i = 0; i < 12; i++) printf "f%d, ", i
	print "};\nint main(void)\n{\n\tstruct node *root = NULL;\n\tfor (int i = 0; i < 20000; i++) {\n\t\tmix(table[i % 12](i));\n\t\troot = insert(root, (int)(digest & 0xfffff));\n\t}\n\twalk(root);\n\tprintf(\"%lx\\n\", digest);\n\treturn 0;\n}"
}' > large.c; wc -l < large.c; for level in 2; do gcc -O$level -g -Wall -o large-$level large.c -lm; ./large-$level; done; sha256sum large-2; for i in 1 2; do sed "s/main/part$i/" hello.c > part$i.c; done; printf 'parts: part1.o part2.o ; @echo linked $^\n' > Makefile; make -s -j3 CC=gcc
say arguments; /bin/echo $(seq 1 30000) | md5sum; gcc $(seq -f '-DA%g=1' 1 5000) -o many hello.c && ./many; bash -c 'echo ${#1}' _ "$(head -c 131000 /dev/zero | tr '\0' x)"; bash -c 'echo ${#1}' _ "$(head -c 140000 /dev/zero | tr '\0' x)" 2>&1 | sed 's/.*bash: //'; perl -e 'exec "echo", ("x" x 1000) x 3000 or print "$!\n"' 2>&1 | tail -c 30
