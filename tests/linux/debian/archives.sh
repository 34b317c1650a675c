# tar, gzip, xz, bzip2, make, m4, file, less, lua and sqlite3. Run by Debian's bash in an empty directory, here and on a rack; the outputs must be equal.

export LC_ALL=C TZ=UTC
say() { echo "-- $*"; }

say tar; mkdir -p src/sub; seq 1 5000 > src/numbers; head -c 100000 /dev/zero > src/zeros; ln -s numbers src/link; ln src/numbers src/hard; echo x > src/sub/x; chmod 700 src/sub; touch -d @1000000000 src/numbers src/sub/x src/zeros; touch -h -d @1000000000 src/link; touch -d @1000000000 src/sub src
tar cf all.tar --sort=name --owner=root --group=root src; sha256sum all.tar; tar tvf all.tar; tar xf all.tar --one-top-level=out; diff -r src out/src && echo same; tar cf - src | tar xf - -C out; tar rf all.tar all.tar 2>&1 | tail -n 1; tar xOf all.tar src/sub/x; tar --delete -f all.tar src/zeros; tar tf all.tar; tar cf excluded.tar --sort=name --exclude=zeros src; tar tf excluded.tar; tar -cSf sparse.tar src/zeros; tar xf sparse.tar -O | cksum; tar df all.tar; tar xf none.tar 2>&1 | head -n 1
for kind in gzip:gz xz:xz bzip2:bz2; do
	tool=${kind%:*}
	say "$tool"; tar cf "c.tar.${kind#*:}" --sort=name --use-compress-program="$tool" src; tar tf "c.tar.${kind#*:}" | sort; $tool -k src/numbers; $tool -dc "src/numbers.${kind#*:}" | cmp - src/numbers && echo same; $tool -t "src/numbers.${kind#*:}"; cksum < "src/numbers.${kind#*:}"; rm "src/numbers.${kind#*:}"; echo broken | $tool -dc 2>&1 | head -n 1; seq 1 100000 | $tool -9 | $tool -d | md5sum
done
zcat < <(gzip < src/numbers) | tail -n 1; gzip -l <(gzip < src/numbers) 2> /dev/null | wc -l; zgrep -c 77 c.tar.gz 2> /dev/null; xz -T2 -k src/zeros; xz -l --robot src/zeros.xz | head -n 1 | cut -f1; xz -d < src/zeros.xz | cmp - src/zeros && echo same
say make; cat > Makefile <<'M'
objects := $(patsubst %.in,%.out,$(wildcard *.in))
all: $(objects) total
%.out: %.in ; @tr a-z A-Z < $< > $@ && echo made $@
total: $(objects) ; @cat $^ > $@; echo total $(words $^)
.PHONY: clean fail
fail: ; @exit 3
clean: ; @rm -f *.out total; echo $(shell echo cleaned)
M
for i in 1 2 3; do echo "file $i" > $i.in; done; make -s -j3 | sort; cat total; make 2>&1 | sed 's/.*: //'; make -s clean; make -j2 -s all | sort; make -s fail; echo $?; make --version | head -n 1; touch 2.in; make -s
say m4; m4 <<< 'define(`sq'"'"', `eval($1 * $1)'"'"')dnl
sq(12) len(`hello'"'"') ifelse(a, b, yes, no) syscmd(`echo from the shell'"'"') translit(abc, a-c, A-C) incr(41) format(`%05d'"'"', 42)'
say file; file -b src/numbers src/link c.tar.gz all.tar /bin/bash | cut -c1-40; file --mime-type -b c.tar.xz Makefile; file none
say less; seq 1 5 | less; less -F Makefile | head -n 1; more Makefile < /dev/null | tail -n 1
say lua; lua5.4 - <<'L'
local t = {}; for i = 1, 1000 do t[#t + 1] = (i * 7919) % 1009 end; table.sort(t); print(#t, t[1], t[500], t[1000])
print(string.format("%5.2f|%x|%q", math.pi, 255, "a\nb"), ("hello world"):gsub("o", "0"), 7 // 2, 2 ^ 0.5, 1 << 40)
local co = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end); print(co(), co(), co())
local f = io.open("lua.txt", "w"); for i = 1, 100 do f:write(i, "\n") end; f:close(); local n = 0; for line in io.lines("lua.txt") do n = n + tonumber(line) end; print(n)
local p = io.popen("seq 1 3"); print(p:read("a")); print(p:close()); print(os.execute("exit 4")); print(pcall(error, "code 1")); print(os.rename("lua.txt", "lua2.txt"), os.remove("none"))
print(select("#", table.unpack({ 1, nil, 3 }, 1, 3)), utf8.char(228, 8364), math.type(3), tostring(nil), #"\u{20AC}", os.time({ year = 2024, month = 1, day = 1, hour = 0 }))
L
say sqlite; sqlite3 first.db "create table t(id integer primary key, name text, v real); insert into t(name, v) with recursive c(n) as (select 1 union all select n + 1 from c where n < 2000) select 'name' || n, n * 1.5 from c; create index by_name on t(name); select count(*), sum(v), max(name) from t; pragma integrity_check; select name from t where v > 2990 order by name; vacuum; pragma page_count;"
sqlite3 first.db .dump | sha256sum; sqlite3 -json first.db 'select * from t limit 2'; sqlite3 first.db 'begin; delete from t; rollback; select count(*) from t'; sqlite3 first.db 'select none from t' 2>&1; sqlite3 :memory: "select json_extract('{\"a\":[1,2]}', '\$.a[1]'), hex(x'0102'), printf('%.3f', sqrt(2))"
for mode in delete truncate persist wal; do
	rm -f shared.db*; sqlite3 shared.db "pragma journal_mode=$mode; create table log(who text, n integer)"
	for who in a b; do
		(for n in $(seq 1 15); do sqlite3 -cmd '.timeout 60000' shared.db "begin immediate; insert into log values('$who', $n); insert into log select '$who', count(*) from log; commit" || echo failed; done) &
	done
	wait; sqlite3 shared.db 'select who, count(*) from log group by who; pragma integrity_check'; ls shared.db*
done
mkfifo commands replies; sqlite3 -batch shared.db < commands > replies & exec 7> commands 8< replies
echo '.timeout 60000' >&7; echo 'begin immediate; insert into log values("held", 1); select "locked";' >&7; read -r line <&8; echo "$line"
sqlite3 shared.db 'insert into log values("refused", 1)' 2>&1; sqlite3 shared.db 'select count(*) from log where who = "held"'; echo 'commit; select "free";' >&7; read -r line <&8; echo "$line"; sqlite3 shared.db 'select count(*) from log where who = "held"; pragma wal_checkpoint(truncate)'; exec 7>&-; wait; sqlite3 shared.db 'pragma integrity_check'
