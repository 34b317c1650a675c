#!/bin/sh
# session.sh: a long shell session whose output depends on nothing but the shell and the commands: files, links, pipes, redirection,
# here-documents, awk, sed, sort, find, tar, background jobs, traps, arithmetic, functions. Run in an empty directory by busybox sh, on the
# host and on the rack; both must print the same bytes. No process numbers, times, inode numbers or directory orders are printed.

set -u
section() { printf '== %s\n' "$1"; }

section echo-and-printf
echo one two   three
printf '%s|%5d|%-5s|%x|%o\n' text 42 left 255 8
printf 'tab\there\nnew\\line\n'

section variables
name=world
greeting="hello $name"
echo "$greeting" '$name' "${#greeting}" "${greeting#hello }" "${greeting%world}" "${unset-default}"
empty=
echo "[${empty:-replaced}] [${empty-kept}] [${greeting:+present}]"
path=/usr/local/share/file.tar.gz
echo "${path##*/} ${path%/*} ${path%%.*} ${path#*.}"

section arithmetic
i=0 sum=0
while [ $i -lt 100 ]; do
    sum=$((sum + i * i % 7))
    i=$((i + 1))
done
echo $sum $((1 << 20)) $((17 / 5)) $((17 % 5)) $((-7 / 2)) $((0x1f)) $(((3 > 2) && (2 > 1)))

section functions-and-recursion
factorial() {
    if [ "$1" -le 1 ]; then
        echo 1
    else
        echo $(($1 * $(factorial $(($1 - 1)))))
    fi
}
factorial 10
fib() { [ "$1" -lt 2 ] && echo "$1" || echo $(($(fib $(($1 - 1))) + $(fib $(($1 - 2))))); }
fib 7

section case-and-for
for word in apple banana cherry 42 .hidden; do
    case $word in
        a*) echo "$word: a" ;;
        *na*) echo "$word: na" ;;
        [0-9]*) echo "$word: number" ;;
        *) echo "$word: other" ;;
    esac
done
for n in $(seq 1 3); do for m in x y; do printf '%s%s ' "$n" "$m"; done; done
echo

section files
mkdir -p tree/a/b tree/c
echo alpha > tree/a/one
echo beta >> tree/a/one
cat > tree/a/b/two <<END
here $name
	tabbed \$name
END
cat > tree/c/three <<'END'
raw $name `date`
END
cat tree/a/one tree/a/b/two tree/c/three
ls tree tree/a
cp tree/a/one tree/c/copy && cmp tree/a/one tree/c/copy && echo same
mv tree/c/copy tree/c/moved
[ -e tree/c/copy ] || echo gone
ln tree/c/moved tree/c/hard
ln -s ../a/one tree/c/soft
readlink tree/c/soft
cat tree/c/soft
stat -c '%n %s %h %F %a' tree/a/one tree/c/hard tree/c/soft
chmod 640 tree/a/one
stat -c '%a' tree/a/one
rm tree/c/moved
stat -c '%h' tree/c/hard
: > tree/empty
[ -s tree/empty ] || echo empty
[ -f tree/empty ] && [ -d tree ] && [ -L tree/c/soft ] && [ ! -x tree/a/one ] && echo tests hold
rmdir tree/a 2>/dev/null || echo 'not empty'
cat missing 2>/dev/null || echo "cat failed: $?"

section truncate-and-seek
i=0
while [ $i -lt 1000 ]; do printf 'record %04d\n' $i; i=$((i + 1)); done > records
wc -l -c records
dd if=records bs=12 skip=500 count=2 2>/dev/null
printf XXXX | dd of=records bs=1 seek=24 conv=notrunc 2>/dev/null
sed -n '3p' records
truncate -s 60 records
wc -c < records
truncate -s 100 records
tail -c 40 records | tr '\0' z
echo
dd if=/dev/zero bs=1000 count=100 2>/dev/null | md5sum
head -c 300000 /dev/zero | tr '\0' 'q' > big
wc -c big
sha256sum big | cut -d' ' -f1

section pipes
seq 1 1000 | awk '{ s += $1 } END { print NR, s }'
seq 1 20 | sed -e '/[02468]$/d' -e 's/^/n/' | paste -s -d, -
seq 100 | sort -r | head -3
printf 'b 2\na 1\nc 3\na 0\n' | sort | uniq -c -w1 2>/dev/null || printf 'b 2\na 1\nc 3\na 0\n' | sort
printf 'z\ny\nx\n' | sort | tr 'a-z' 'A-Z' | tr -d '\n'
echo
yes | head -n 5000 | wc -l
seq 1 50000 | md5sum
seq 1 300 | grep -c 7
seq 1 30 | xargs -n 7 echo
echo 'a:b:c' | cut -d: -f2
printf 'x y z\n' | { read first rest; echo "$rest/$first"; }
cat /dev/null | wc -c
false | true; echo "status of a pipe: $?"
! false; echo "negated: $?"

section redirection
{ echo to-out; echo to-err >&2; } > both 2>&1
cat both
{ echo swapped-err >&2; echo swapped-out; } 3>&1 1>&2 2>&3 3>&- | sed 's/^/piped: /'
exec 5> numbered
echo through five >&5
exec 5>&-
cat numbered
exec 6< numbered
read line <&6
exec 6<&-
echo "got: $line"
echo error on stderr >&2
(cd tree && pwd | sed 's:.*/::')
cat <<-END
	stripped
	  kept
	END

section awk
awk 'BEGIN { for (i = 1; i <= 5; i++) printf "%d^2=%d ", i, i * i; print "" }'
printf 'ann 30\nbob 25\ncyd 35\n' | awk '{ n[$1] = $2; if ($2 > m) { m = $2; who = $1 } } END { print who, m, length(n) }'
awk -F: '{ print $1 "-" $3; gsub(/b/, "B"); print }' <<END
a:b:c
bb:cc:dd
END
awk 'BEGIN { s = "The quick brown fox"; print toupper(substr(s, 5, 5)), index(s, "fox"), split(s, w, " "), w[3]; printf "%.3f %e\n", 22 / 7, 12345 }'

section sed
seq 1 10 | sed -n '2,4p;8{s/8/eight/;p}'
echo 'hello world' | sed 's/\(hello\) \(world\)/\2 \1/;s/o/0/g'
printf 'one\ntwo\nthree\n' | sed '2i\
inserted' | sed '$!N;s/\n/ + /'

section find-and-tar
find tree | sort
find tree -type f -name '*o*' -exec basename {} \; | sort
find . -maxdepth 1 -size +100k | sort
tar cf archive.tar tree
tar tf archive.tar | sort
mkdir unpacked
tar xf archive.tar -C unpacked
(cd unpacked && find . -type f | sort | xargs md5sum)
readlink unpacked/tree/c/soft
gzip -c big | gunzip -c | cmp - big && echo gzip round trip
rm -r unpacked tree archive.tar
ls

section subshells-and-substitution
x=outer
(x=inner; echo $x)
echo $x
echo "nested: $(echo "$(echo deep)er")"
set -- "first arg" second
echo $# "$1" "$2"
shift
echo $# "$1"
IFS=,
set -- $(echo a,b,c)
unset IFS
echo "$3 $2 $1"
eval 'y=evaluated; echo $y'

section background-jobs
(sleep 0.1; echo late > job1) &
(echo early > job2) &
wait
cat job1 job2
sh -c 'exit 3' &
wait $!
echo "job status: $?"
for n in 1 2 3 4 5; do (seq 1 $((n * 1000)) | md5sum > sum$n) & done
wait
cat sum1 sum2 sum3 sum4 sum5
sleep 30 &
victim=$!
kill $victim
wait $victim
echo "killed: $?"

section traps-and-signals
trap 'echo caught TERM' TERM
kill -TERM $$
trap - TERM
(trap 'echo leaving' EXIT; echo inside)
sh -c 'trap "echo usr1; exit 5" USR1; kill -USR1 $$; echo not reached'
echo "status: $?"
sh -c 'kill -KILL $$'
echo "status: $?"
trap '' INT
sh -c 'kill -INT $$; echo ignored'
trap - INT
sh -c 'exec sh -c "exit 9"'
echo "exec: $?"
no-such-command 2>/dev/null
echo "missing command: $?"
./records 2>/dev/null
echo "not executable: $?"

section the-end
trap 'echo "goodbye $?"' EXIT
exit 11
