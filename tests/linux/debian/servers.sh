# Servers of Debian's packages and their clients over the loopback of one rack: what each prints does not depend on the machine.
set -o pipefail
export LC_ALL=C
mkdir -p www/more && cd www
cp /bin/bash bash; echo one >text; touch -d 2020-01-01 text; echo two >more/text; ln -s text link; cd ..

# until_ready COMMAND...: tries until it succeeds; the server may still be starting.
until_ready() { for _ in $(seq 600); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done; echo "not ready: $*"; exit 1; }
same() { sha256sum | { read -r sum _; [ "$sum" = "$(sha256sum <www/bash | cut -d' ' -f1)" ] && echo same || echo differs; }; }

echo -- rsync
rsync -a www/ copy && diff -r www copy && readlink copy/link
echo three >>www/text; rsync -ai www/ copy

echo -- python
python3 - <<'P'
import asyncio, multiprocessing

def double(end):
    while (value := end.recv()) is not None:
        end.send(value * 2)

async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def client(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    data = bytes((i * number) % 251 for i in range(100000))
    writer.write(data)
    writer.write_eof()
    back = await reader.read(-1)
    writer.close()
    return back == data

async def main():
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(await asyncio.gather(*(client(port, n) for n in range(1, 7))))
    server.close()

here, there = multiprocessing.Pipe()
child = multiprocessing.get_context("fork").Process(target=double, args=(there,))
child.start()
for value in (21, "x" * 3, b"y" * 100000):
    here.send(value)
    print(len(str(here.recv())))
here.send(None)
child.join()
print(child.exitcode)
asyncio.run(main())
P

echo -- http.server
python3 -m http.server -d www 8000 >/dev/null 2>&1 &
until_ready busybox wget -qO /dev/null http://127.0.0.1:8000/text
busybox wget -qO- http://127.0.0.1:8000/bash | same
kill $!; wait $!; echo $?

echo -- nginx
cat >nginx.conf <<P
user root; worker_processes 2; pid $PWD/nginx.pid; error_log stderr crit;
events { worker_connections 64; }
http { sendfile on; access_log $PWD/access; server { listen 127.0.0.1:8080; root $PWD/www; } }
P
nginx -e stderr -c $PWD/nginx.conf -g 'daemon off;' &
until_ready busybox wget -qO /dev/null http://127.0.0.1:8080/text
busybox wget -qO- http://127.0.0.1:8080/bash | same
busybox wget -qO- http://127.0.0.1:8080/more/text
busybox wget -qO- http://127.0.0.1:8080/none 2>/dev/null || echo none
nginx -e stderr -c $PWD/nginx.conf -s quit; wait $!; echo $?
cut -d'"' -f2 access | sort -u

echo -- redis
redis-server --bind 127.0.0.1 --port 6380 --save '' --dir $PWD >/dev/null &
until_ready redis-cli -p 6380 ping
redis-cli -p 6380 set key value; redis-cli -p 6380 get key
redis-cli -p 6380 rpush list a b c; redis-cli -p 6380 lrange list 0 -1
redis-cli -p 6380 save; redis-benchmark -p 6380 -q -n 500 -c 10 -t incr >/dev/null; redis-cli -p 6380 get counter:__rand_int__
redis-cli -p 6380 shutdown nosave; wait $!; echo $?
echo -- end
