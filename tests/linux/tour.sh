#!/bin/busybox sh
# A tour through what shell scripts use: files, pipes, text tools, archives, background jobs, traps, here-documents. Runs under busybox on
# any Linux host and on a rack, and must print the same bytes on both: no process ids, times, inode numbers or locale-dependent order.
# Usage: busybox sh tour.sh [DIRECTORY]    (a scratch directory is made inside DIRECTORY, default /tmp, and removed at the end)

export PATH=/bin:/usr/bin:/sbin:/usr/sbin
export LC_ALL=C TZ=UTC
umask 022
base=${1:-/tmp}
mkdir -p "$base" || exit 1
work=$base/lego-tour.$$
rm -rf "$work"
mkdir "$work" && cd "$work" || exit 1
# Every tool is busybox's own, so that the host's other tools cannot differ.
for tool in awk sed sort uniq find tar grep cut tr head tail wc cat ls mkdir rmdir rm mv cp ln readlink stat chmod touch seq od \
    sha256sum md5sum gzip gunzip xargs tee dd diff cmp sleep expr basename dirname printf env date du paste fold rev tac nl crc32 \
    mkfifo truncate test base64 hexdump which yes timeout mktemp realpath cpio bzip2 unexpand expand id; do
    eval "$tool() { busybox $tool \"\$@\"; }"
done

section() { echo "== $* =="; }
check() { if "$@"; then echo "ok: $*"; else echo "FAILED ($?): $*"; fi; }

section files
echo "first line" > a
echo "second line" >> a
cat a
printf 'no newline' > b; wc -c < b
cp a c && cmp a c && echo "copy equal"
mv c d; test -e c || echo "c is gone"
ls
: > empty; stat -c '%n %s %F' empty a
truncate -s 10000 hole; od -A d -c hole | head -2
dd if=/dev/zero bs=1000 count=5 2>/dev/null | wc -c
dd if=a of=patched bs=1 skip=6 count=4 2>/dev/null; cat patched; echo
printf 'XY' | dd of=a bs=1 seek=2 conv=notrunc 2>/dev/null; cat a
rm -f nothing; rm nothing 2>/dev/null || echo "rm fails on a missing file"
cat nothing 2>&1 | sed 's/.*: //'

section redirections
{ echo to-out; echo to-err >&2; } 2> errors > output; cat output errors
exec 3> third; echo via-three >&3; exec 3>&-; cat third
exec 4< a; read -r one <&4; read -r two <&4; exec 4<&-; echo "[$one][$two]"
exec 5<> both; echo hello >&5; exec 5>&-; cat both
( echo sub1; ( echo sub2 ); echo sub3 ) > nested; tr '\n' ' ' < nested; echo
for i in 1 2 3; do echo "append $i"; done >> appended; wc -l < appended
set -C; { echo x > a; } 2>/dev/null || echo "noclobber holds"; set +C
(exec 6< a; rm a; cat <&6; ls a 2>/dev/null || echo "unlinked but open")

section here-documents
name=world
cat <<END
hello $name, $((6 * 7)), $(echo nested)
END
cat <<'END'
hello $name
END
cat <<-END
	tabs are stripped
	END

section directories and links
mkdir -p tree/one/two tree/three; echo leaf > tree/one/two/leaf; echo other > tree/three/other
find tree | sort
ln -s one/two/leaf tree/link; readlink tree/link; cat tree/link
ln tree/three/other tree/hard; stat -c '%h' tree/hard
ln -s nowhere tree/dangling; test -L tree/dangling && ! test -e tree/dangling && echo "dangling"
rmdir tree/one 2>/dev/null || echo "not empty"
cd tree/one; pwd | sed "s|$work||"; cd ../..; mv tree/one tree/renamed; ls tree
(cd tree/renamed/two && cat ../../three/other && cd - >/dev/null && pwd | sed "s|$work|W|")
find tree -type l | sort; find tree -type f -name 'l*'; find tree -name '*e*' -maxdepth 1 | sort
realpath tree/renamed/../three/other | sed "s|$work|W|"
mkdir many; (cd many; for i in $(seq 1 300); do : > file$i; done; ls | wc -l; rm file2*; ls | wc -l)
rm -r tree/renamed; ls tree | tr '\n' ' '; echo

section permissions and times
touch -d '2001-02-03 04:05:06' stamp; stat -c '%y' stamp | cut -c1-19; date -r stamp +%Y-%m-%d
chmod 640 stamp; stat -c '%a %A' stamp; chmod u+x,g-r stamp; stat -c '%a' stamp
umask 077; : > private; stat -c '%a' private; umask 022
touch -d '2001-01-01 00:00:00' older; test stamp -nt older && echo newer
find . -maxdepth 1 -newer older -name stamp

section working directories
mkdir -p w/x w/y
cd w/x
ls ..
echo here > here
cat ../x/here ./here "$work/w/x/here"
cd -  > /dev/null
mv w/x/here w/y/there
ls w/x | wc -l
cat w/y/there
ln -s ../y w/x/toy
cat w/x/toy/there
(cd w/x/toy && pwd | sed "s|$work||" && pwd -P | sed "s|$work||")
cp -r w v
ls v/x v/y
cp -a w u
readlink u/x/toy
du -s w > /dev/null && echo "du works"
rm -r u v w

section renames and replaced files
echo old > target
echo new > source
exec 7< target
mv source target
cat target
cat <&7
exec 7<&-
echo keep > x1
ln x1 x2
rm x1
cat x2
mv x2 x2 2>/dev/null || echo "same file"
mkdir da db
touch da/f
mv da db/
find db | sort
rmdir db 2>/dev/null || echo "db is not empty"
rm -r db
mv nothing anywhere 2>/dev/null || echo "no source"

section pipes
seq 1 1000 | grep 7 | wc -l
seq 1 5 | while read -r n; do echo "n=$n"; done
yes | head -3
seq 1 100000 | sort -rn | head -1
seq 1 20000 | tee copy | wc -l; wc -l < copy
echo data | cat - a 2>/dev/null | head -1
mkfifo fifo; (echo through the fifo > fifo) & cat fifo; wait
false | true; echo "status $?"; (exit 3) || echo "subshell $?"
set -o pipefail; false | true || echo "pipefail"; set +o pipefail
(yes; echo "never") 2>/dev/null | head -1
dd if=/dev/zero bs=65536 count=40 2>/dev/null | tee big | sha256sum | cut -c1-16; wc -c < big

section text tools
printf 'pear 3\napple 10\nfig 7\napple 2\n' > fruit
sort fruit; sort -k2 -n fruit; sort -k1,1 -k2,2nr fruit; sort -u -k1,1 fruit | wc -l
cut -d' ' -f1 fruit | sort | uniq -c | sed 's/^ *//'
awk '{ sum[$1] += $2; n++ } END { for (f in sum) print f, sum[f] | "busybox sort"; close("busybox sort"); print n }' fruit
awk 'BEGIN { for (i = 1; i <= 5; i++) printf "%d^2=%d%s", i, i * i, i < 5 ? " " : "\n"; print substr("splitkernel", 6), length("lego") }'
sed -n '2,3p' fruit; sed 's/\([a-z]*\) \([0-9]*\)/\2:\1/' fruit; sed -e '/fig/d' -e 's/a/A/g' fruit; sed '1i\
first' fruit | head -2
tr a-z A-Z < fruit | head -1; rev fruit | head -1; tac fruit | head -1; nl fruit | head -1
echo 'the quick brown fox' | tr -s ' ' '\n' | paste -s -d, -
printf 'a\nb\nc\n' > l1; printf 'b\nc\nd\n' > l2; diff l1 l2; sort l1 l2 | uniq -d; diff l1 l2 | grep '^[<>]'
echo 'abcdefghij' | fold -w 4; echo lego | base64; echo bGVnbwo= | base64 -d; printf '\001\002' | hexdump -C | head -1
for n in 1 2 3; do seq 1 $((n * 20)) > part.$n; done
wc -l part.* | sed 's/^ *//'
grep -c an fruit; grep -o '[0-9]*' fruit | tr '\n' ' '; grep -v apple fruit; echo fruit | xargs cat | head -1
seq 1 10 | xargs -n 4 echo; echo 'a b c' | xargs -n1 | wc -l; expr 17 % 5; basename /x/y.z .z; dirname /x/y.z
crc32 fruit; md5sum < fruit; sha256sum fruit

awk -F: '{ print NF, $1 }' <<END
a:b:c
d:e
END
awk '/a/ { n++ } END { print n + 0 }' fruit
awk 'BEGIN { while ((getline line < "fruit") > 0) last = line; print last; "echo piped" | getline x; print x }'
awk '{ print $2 > ("by-" $1) }' fruit
cat by-apple
sed -n '/apple/=' fruit
sed 's/apple/[&]/;y/pe/PE/' fruit
sed -i 's/fig/date/' fruit
grep -n date fruit
printf 'one\ttwo\n' | expand -t 4
printf '%s\n' b a c | sort -r | tr '\n' ' '
echo
seq 10 -3 1 | paste -s -d+ -
seq 10 -3 1 | paste -s -d+ - | busybox bc
printf '1\n2\n3\n' | sed '2{h;d};${G}'
od -A x -t x1 -N 16 l1
echo "$(printf 'a b\nc')" | wc -w
tail -n +3 fruit | head -n 1
tail -c 5 fruit
find . -name 'by-*' -exec cat {} + | sort -n
find . -name 'by-*' -print0 | xargs -0 rm
find . -name 'by-*' | wc -l

section archives
mkdir pack; for i in 1 2 3; do seq 1 $((i * 1000)) > pack/n$i; done; ln -s n1 pack/s; chmod 600 pack/n2
tar cf pack.tar pack; tar tf pack.tar | sort; mkdir unpack; tar xf pack.tar -C unpack
diff -r pack unpack/pack && echo "trees equal"; stat -c '%a' unpack/pack/n2; readlink unpack/pack/s
gzip -c pack/n3 > n3.gz; gunzip -c n3.gz | cmp - pack/n3 && echo "gzip equal"; tar czf pack.tgz pack; tar tzf pack.tgz | wc -l
bzip2 -c pack/n3 | bzip2 -dc | cmp - pack/n3 && echo "bzip2 equal"
(cd pack && find . | sort | cpio -o -H newc 2>/dev/null) | cpio -t 2>/dev/null | sort | head -3

section shell
f() { local x=$1; [ "$x" -le 1 ] && { echo 1; return; }; echo $((x * $(f $((x - 1))))); }
f 7
case abc.txt in *.c) echo c;; *.txt) echo text;; esac
x=/usr/lib/file.tar.gz; echo "${x##*/} ${x%.gz} ${x%%.*} ${#x} ${y:-default} ${x:+set}"
set -- one two 'three four'; echo $# "$3"; shift; echo "$1"; for arg in "$@"; do echo "<$arg>"; done
i=0; while [ $i -lt 3 ]; do i=$((i + 1)); [ $i = 2 ] && continue; echo "loop $i"; done
path=a:b:c
IFS=: ; for p in $path; do echo "$p"; done; IFS=' 	
'
eval 'echo evaluated $((0x10 | 3))'; printf '%05d|%-5s|%x|%c\n' 42 ab 255 z; echo "a	b" | cat -A
(cd /; echo "$PWD"); [ -d /proc/self ] && [ -c /dev/null ] && echo "proc and dev"; readlink /proc/self/exe | sed 's|.*/||'
env -i A=1 B=2 busybox sh -c 'echo $A$B'; echo 'echo script $0 $1' > s.sh; sh() { busybox sh "$@"; }; sh s.sh arg
type cd | cut -d' ' -f1-3; command -v nosuchprogram || echo "no such program"; nosuchprogram 2>/dev/null; echo "status $?"

section jobs and signals
sleep 0.2 & wait $!; echo "waited $?"
(exit 5) & wait $!; echo "job status $?"
sleep 30 & victim=$!; kill $victim; wait $victim; echo "killed $?"
(trap 'echo got TERM; exit 9' TERM; : > ready; while :; do sleep 0.05; done) & child=$!
while [ ! -e ready ]; do sleep 0.05; done; kill -TERM $child; wait $child; echo "trap $?"
trap 'echo usr1' USR1; kill -USR1 $$; trap - USR1
(trap 'echo bye' EXIT; echo working)
busybox sh -c 'kill -KILL $$'; echo "status $?"; busybox sh -c 'trap "" INT; kill -INT $$; echo survived'
for i in 3 2 1; do
    # Each job waits for the one before it, however slowly it starts.
    (while [ $i != 1 ] && ! grep -q "job $((i - 1))" order 2>/dev/null; do sleep 0.05; done; echo "job $i" >> order) &
done
wait; cat order
timeout 1 busybox sleep 10; echo "timeout $?"; (busybox sleep 0.1; echo late) & echo early; wait
busybox sh -c 'sleep 5 & kill %1; wait %1; echo "percent $?"'
count=0; for i in $(seq 1 30); do busybox true & done; wait; echo "thirty children"

section large
awk 'BEGIN {
    s = 12345
    for (i = 1; i <= 20000; i++) {
        s = (s * 1103515245 + 12345) % 2147483648
        text = text s "\n"
        if (i % 500 == 0) { printf "%s", text; text = "" }
    }
}' > numbers
sort -n numbers | sha256sum; sort numbers | uniq | wc -l; sha256sum numbers; wc numbers | sed 's/^ *//'
head -c 100000 numbers | tail -c 100 | md5sum; for n in 0 1 2 3; do dd if=numbers of=chunk.$n bs=70000 skip=$n count=1 2>/dev/null; done
cat chunk.* | cmp - numbers && echo "chunks equal"
find . -type f | wc -l
cd /; rm -rf "$work"; test -e "$work" || echo "all removed"
