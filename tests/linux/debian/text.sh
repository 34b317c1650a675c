# coreutils, grep, sed and gawk on text. Run by Debian's bash in an empty directory, here and on a rack; the outputs must be equal.

export LC_ALL=C
say() { echo "-- $*"; }

seq 1 3000 | awk '{ print ($1 * 7919) % 3001, $1, "word" $1 % 17 }' > numbers 2> /dev/null ||
    seq 1 3000 | gawk '{ print ($1 * 7919) % 3001, $1, "word" $1 % 17 }' > numbers
say sort; sort -n numbers | head -n 3; sort -k3,3 -k1,1nr numbers | sed -n '1p;1000p;$p'; sort -u -k3,3 numbers | wc -l
sort -R --random-source=numbers numbers | cksum; sort -S 64K --parallel=2 -T . numbers | cksum; sort -c numbers; sort -m <(seq 1 2 9) <(seq 2 2 8) | tr '\n' ' '; echo
printf '1K\n3M\n2G\n5\n' | sort -h; printf '1.10\n1.9\n1.2\n' | sort -V; printf 'b\0a\0' | sort -z | od -c
say uniq; cut -d' ' -f3 numbers | sort | uniq -c | sort -rn | head -n 3; printf 'a\na\nb\nc\nc\n' | uniq -d; printf 'a\na\nb\n' | uniq -u
say join; join -1 1 -2 2 <(printf '1 a\n2 b\n4 d\n') <(printf 'x 1\ny 2\nz 3\n'); join -a1 -a2 -e- -o 0,1.2,2.1 -1 1 -2 2 <(printf '1 a\n4 d\n') <(printf 'x 1\nz 3\n')
say cut; echo 'one:two:three:four' | cut -d: -f2,4 --output-delimiter=/; echo abcdefgh | cut -c2-4,7; echo abcdef | cut -b-2
say tr; echo 'Hello  World' | tr -s ' ' | tr a-zA-Z n-za-mN-ZA-M; echo hello | tr -d l; echo abc123 | tr -cd 0-9; echo; printf 'a\tb' | tr '\t' '_'; echo
say split; seq 1 1000 > thousand; split -l 300 -d thousand part-; wc -l part-*; cat part-* | cmp - thousand && echo same
split -b 1000 --filter='wc -c' thousand; split -n 3 thousand third-; wc -c third-*; split -n l/4 thousand quarter-; cat quarter-* | cksum
say csplit; csplit -s -f piece- thousand /100/ '{2}'; wc -l piece-*; csplit -z -b %02d.txt thousand 300 600
say comm; comm <(seq 1 5) <(seq 3 7); comm -12 <(seq 1 5) <(seq 3 7) | tr '\n' ' '; echo
say paste; paste -d, <(seq 1 3) <(seq 4 6); paste -s -d+ <(seq 1 5) | tee sum | bc
say tac; seq 1 5 | tac | tr '\n' ' '; echo; tac -s, <<< a,b,c; rev <<< abc 2> /dev/null || echo cba; nl -ba <(printf 'a\n\nb\n'); fold -w 4 <<< abcdefghij; fmt -w 20 <<< 'the quick brown fox jumps over the lazy dog'
pr -T -3 -w 40 <(seq 1 9); column -t <(printf 'a bb\nccc d\n') 2> /dev/null; expand -t 4 <<< $'a\tb'; unexpand -a <<< 'a       b' | od -c | head -n 1
say shuf; shuf --random-source=numbers -n 5 thousand; shuf -i 1-10 --random-source=numbers | tr '\n' ' '; echo; shuf -e a b c --random-source=numbers
say sums; for tool in md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum; do $tool thousand; done
cksum -a sm3 thousand; sha256sum thousand > sums; sha256sum -c sums; echo x >> thousand; sha256sum -c sums; cksum --base64 -a blake2b thousand 2>&1 | head -n 1
head -c 3000000 /dev/zero | sha256sum; seq 1 300000 | cksum; seq 1 300000 | md5sum
say od; echo 'hello world' | od -A x -t x1z; echo abc | od -An -tu2; printf '\1\2\3\4\5\6\7\10' | od -t d8 -t f8; od -j 100 -N 16 -c numbers
base64 <<< 'some text to encode' | tee encoded | base64 -d; base32 <<< text; basenc --base16 <<< text; xxd <<< text 2> /dev/null
say head; seq 1 100 | head -n 3; seq 1 100 | tail -n 2; head -c 10 numbers; echo; tail -c 10 numbers; head -n -2995 numbers; tail -n +2998 numbers; head -n 1 numbers sum; tail -qn 1 numbers sum
(for i in 1 2 3; do echo line $i; sleep 0.1; done > growing) & timeout 2 tail -n +1 -f growing --pid=$!; wait
say seq; seq -w 8 11; seq -s, 1 0.5 3; seq -f 'n%03g' 1 2; seq 10 -3 1 | tr '\n' ' '; echo; seq 1 100000 | tail -n 1
say factor; factor 360 1000000007 18446744073709551615 600851475143; seq 2 50000 | factor | cksum
say numfmt; numfmt --to=iec 1024 1500000 123456789012; numfmt --from=si 5K 2M; numfmt --to=si --format='%.2f' 1234567; echo '1000 x' | numfmt --field=1 --grouping
say expr; expr 3 + 4 \* 2; expr length hello; expr hello : 'h\(.*\)o'; expr index hello l; expr 5 \> 3; printf '%s %d %05.1f %e\n' a 10 3.14159 31415.9; printf '%b' 'a\tb\n'
say wc; wc numbers; wc -L numbers; echo -n 'no newline' | wc; wc -m <<< 'characters'
say date; export TZ=UTC; date -d @0; date -d '2024-02-29 12:34:56 +1 year' +%F; date -d '1999-12-31 23:59:59 1 second' '+%Y-%m-%dT%H:%M:%S %a %j %U'; date -d 'next monday 2024-01-01' +%F; TZ=EST5EDT date -d @1700000000; date -u -R -d @1234567890; date --iso-8601=ns -d '2020-01-01 00:00:00.123456789'; date -d nonsense 2>&1
say grep; grep -c word1 numbers; grep -n '^1 ' numbers; grep -oE '[0-9]+' <<< 'a1b22c333' | tr '\n' ' '; echo; grep -v word numbers | wc -l; grep -w word1 numbers | wc -l; grep -iE 'HELLO|world' <<< 'hello'; grep -P '(?<=a)b' <<< ab; grep -q none numbers; echo $?; grep -rl word1 . | sort | head -n 3; grep -A1 -B1 '^5$' <(seq 1 9); grep -F -x -f <(seq 3 4) <(seq 1 9); printf 'a\0b\n' | grep -c a; printf 'a\0b\n' | grep b; egrep -o 'x+' <<< axxxb 2> /dev/null
say sed; sed 's/\(w\)ord/\1/;3q' numbers; sed -n '/^10 /p' numbers; sed -e '1!G;h;$!d' <(seq 1 4); sed -E 's/([0-9]+) ([0-9]+)/\2-\1/;2q' numbers; cp sum edited; sed -i.bak 's/+/-/g' edited; cat edited edited.bak; sed 'y/abc/xyz/' <<< aabbcc; sed '/2/{i\
before
a\
after
}' <(seq 1 3); sed -n '$=' numbers; sed 's/.*/\U&/;s/L/\n/g' <<< hello; sed -s -n '1p;1w first' numbers sum; cat first; sed --debug -n 1p sum | head -n 3
say gawk; gawk '{ n[$3] += $1 } END { for (k in n) print k, n[k] | "sort" }' numbers | head -n 4; gawk -F: -v OFS=/ '{ $1 = $1; print NF, $0 }' <<< a:b:c; gawk 'BEGIN { while (("seq 1 3" | getline line) > 0) print "got", line; printf "%.3f %s %d\n", atan2(0, -1), substr("hello", 2, 3), index("hello", "l"); print toupper("x"), length("abc"), sprintf("%c", 65); print gensub(/(a)(b)/, "\\2\\1", "g", "abab"); split("a,b,c", p, ","); print p[3]; print strftime("%Y", 0, 1); print systime() > 0; n = asort(p); print n; "date -u -d @0 +%F" | getline d; print d; print ENVIRON["TZ"]; exit 3 }'; echo $?
gawk 'BEGIN { cmd = "cat"; print "to coprocess" |& cmd; close(cmd, "to"); cmd |& getline x; print x; print 2 ** 53 + 1; print substr("abc", 0), match("foobar", /o+/), RSTART, RLENGTH }'; gawk --version | head -n 1
say bc; echo '2^200; scale=30; 4*a(1); sqrt(2)' | bc -l; bc <<< 'define f(n) { if (n < 2) return 1; return n * f(n - 1); } f(30)'; dc -e '16o 255p 10k 2v p 3 4 + p'
say diff; diff -u --label a --label b <(seq 1 5) <(seq 1 2 9); diff -y -W 30 <(seq 1 3) <(seq 2 4); diff -q numbers numbers && echo equal; cmp <(echo abc) <(echo abd); diff3 <(seq 1 3) <(seq 1 4) <(seq 0 3)
seq 1 50 > old; sed 's/^25$/twenty-five/;$d' old > new; diff -u old new > change; patch -s old change && cmp old new && echo patched; patch -R -s old < change; tail -n 1 old; patch --dry-run old < change
say misc; tsort <<< 'a b b c'; ptx -G <<< 'hello world' 2> /dev/null | head -n 2; yes | head -n 2; yes abc | head -c 100000 | md5sum; basename /a/b.c .c; dirname /a/b/c; pathchk -p ok; echo $?; test 1 -lt 2 -a -n x; echo $?; [ -e none ]; echo $?; true; echo $?; nproc > /dev/null; echo $?; arch; uname -s -m
