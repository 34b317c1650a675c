# bash: what scripts are made of. Run by Debian's bash in an empty directory, here and on a rack; the outputs must be equal.

shopt -s extglob nullglob
say() { printf '%s: %s\n' "$1" "${*:2}"; }

# Arrays and expansions.
list=(one "two words" three); declare -A map=([red]=1 [green]=2)
list+=(four); unset 'list[0]'
say array "${#list[@]}" "${!list[@]}" "${list[1]}" "${list[@]:2:2}"
map[blue]=3; say map "$(for key in "${!map[@]}"; do echo "$key=${map[$key]}"; done | sort | tr '\n' ' ')"
text=/usr/lib/libc.so.6
say expansion "${text##*/}" "${text%%.*}" "${text/lib/LIB}" "${text//lib/LIB}" "${text^^}" "${text:5:3}" "${none:-default}" "${#text}"
say arithmetic $((7 * 6)) $((1 << 40)) $((17 % 5)) $((-7 / 2)) "$((16#ff))" $((2 ** 62))
printf -v padded '%05d|%-6s|%x|%q' 42 left 255 "a b"; say printf "$padded"
mapfile -t lines < <(seq 1 5); say mapfile "${#lines[@]}" "${lines[4]}"
say braces {a..e} {1..10..3} {x,y}{1,2}
[[ abc123 =~ ^([a-z]+)([0-9]+)$ ]] && say regex "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]}"
touch a.txt b.txt c.log; say glob *.txt !(*.txt) *.none
case "$text" in *.so.*) say case library ;; *) say case other ;; esac

# Pipelines, process substitution, here-documents.
seq 1 20000 | grep 7 | tail -n 1 | { read -r last; say pipeline "$last"; }
false | true | false; say status "${PIPESTATUS[@]}"
set -o pipefail; false | true; say pipefail $?; set +o pipefail
diff <(seq 1 5) <(seq 2 6); say substitution $?
seq 1 3 | tee >(sed 's/^/copy /' > copied) > /dev/null; while [[ $(wc -l < copied) -lt 3 ]]; do sleep 0.05; done; cat copied
cat <<-EOF | sed 's/^/doc: /'
	here $((1 + 1))
	is ${text##*/}
EOF
cat <<'EOF'
no $expansion here
EOF
tr a-z A-Z <<< "here string"
big=$(seq 1 30000); say big "${#big}" "$(cksum <<< "$big")"

# Descriptors.
exec 5> fifth; echo five >&5; exec 5>&-; exec 6< fifth; read -r word <&6; exec 6<&-; say descriptor "$word"
{ echo out; echo err >&2; } 2>&1 | sort | tr '\n' ' '; echo
( echo closed >&199 ) 2> /dev/null; say "closed descriptor" $?
exec {auto}> automatic; say automatic "$((auto >= 10))"; exec {auto}>&-
mkfifo pipe; (echo through > pipe) & read -r word < pipe; wait; say fifo "$word"
set -o noclobber; (echo x > fifth) 2> /dev/null; say noclobber $?; set +o noclobber

# Traps and signals.
( trap 'echo exit trap $?' EXIT; trap 'echo terminated' TERM; kill -TERM $BASHPID; exit 3 ); say subshell $?
( trap 'echo child' USR1; kill -USR1 $BASHPID; echo after )
( trap '' TERM; kill -TERM $BASHPID; echo ignored )
( kill -KILL $BASHPID ); say killed $?
trap 'echo debugged >> debug' DEBUG; :; trap - DEBUG; say debug "$(sort -u debug)"
trap 'echo failed line' ERR; false; trap - ERR
bash -c 'kill -SEGV $$' 2> /dev/null; say crashed $?

# Jobs.
sleep 30 & first=$!; (exit 7) & second=$!
wait $second; say "wait for one" $?
kill $first; wait $first; say "wait for the killed" $? 2> /dev/null
bash -c 'for i in 1 2 3 4; do (sleep 0.$i; exit $i) & done; wait -n; echo "first: $?"; wait; echo "all: $?"'
coproc adder { while read -r a b; do echo $((a + b)); done; }
echo 20 22 >&"${adder[1]}"; read -r sum <&"${adder[0]}"; say coprocess "$sum"
eval "exec ${adder[1]}>&-"; wait
set -m; sleep 0.2 & jobs -r | sed 's/.*Running *//'; fg > /dev/null; say foreground $?; set +m

# read with limits.
read -r -t 0.2 word < <(sleep 3); say "read -t" $(($? > 128)) "[$word]"
read -r -t 5 word < <(echo quick); say "read -t" $? "$word"
read -r -n 3 word <<< abcdef; say "read -n" "$word"
read -r -d : word <<< first:second; say "read -d" "$word"
IFS=, read -ra fields <<< a,b,,d; say fields "${#fields[@]}" "${fields[3]}"
while IFS= read -r line; do printf '<%s>' "$line"; done < <(printf '  a\nb  \n'); echo
printf 'a\0b c\0' | while IFS= read -r -d '' item; do printf '[%s]' "$item"; done; echo

# Functions, recursion, getopts, select-free things.
fact() { local n=$1; ((n < 2)) && echo 1 || echo $((n * $(fact $((n - 1))))); }; say factorial "$(fact 10)"
options() { local OPTIND o; while getopts ab:c o; do printf '%s=%s ' "$o" "$OPTARG"; done; echo; }; options -a -b value -c
set -- x y z; shift; say positional $# "$*"
say subshell "$(cd /; pwd; x=1)" "${x:-unset}"
umask 027; touch masked; say umask "$(umask)" "$(stat -c %a masked)"; umask 022
ulimit -n 64; say ulimit "$(ulimit -n)"
time_result=$( { time sleep 0.01; } 2>&1 | grep -c real ); say time "$time_result"
say random "$((RANDOM >= 0))" "$BASH_SUBSHELL" "$((SECONDS < 1000))"
exec bash -c 'printf "exec: %s %s\n" "$0" "$1"' name argument
