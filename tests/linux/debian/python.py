"""python3 with its library. Run by Debian's python3 in an empty directory, here and on a rack; the outputs must be equal."""
import array, base64, bisect, bz2, collections, concurrent.futures, csv, ctypes, datetime, decimal, errno, fcntl, functools, glob, gzip, hashlib, heapq, io, itertools, json, lzma
import mmap, os, pickle, queue, random, re, select, shutil, signal, sqlite3, stat, struct, subprocess, sys, tempfile, textwrap, threading, time, uuid, zipfile, zlib

def show(name, *values): print(name, *values, flush=True)

show("json", json.dumps({"a": [1, 2.5, None, True, "ü€"], "b": {"c": "d"}}, sort_keys=True), json.loads('[1, {"x": "\\u20ac"}]')[1]["x"] == "€")
for name in ("md5", "sha1", "sha256", "sha512", "sha3_256", "blake2b"): show(name, hashlib.new(name, b"x" * 100000).hexdigest()[:40])
show("pbkdf2", hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 1000).hex()[:32], zlib.crc32(b"abc"), base64.b64encode(b"python"))
for module in (gzip, bz2, lzma): show(module.__name__, module.decompress(module.compress(b"data" * 10000)) == b"data" * 10000)
random.seed(42); show("random", [random.randint(0, 99) for _ in range(5)], round(random.random(), 6), decimal.Decimal(1) / 7, datetime.datetime.fromtimestamp(0, datetime.timezone.utc).isoformat())
show("collections", collections.Counter("mississippi").most_common(2), list(itertools.islice(itertools.permutations("abc"), 3)), heapq.nsmallest(3, [5, 1, 4, 2]), functools.reduce(lambda a, b: a * b, range(1, 25)))
show("struct", struct.pack("<IhQ", 1, -2, 3).hex(), array.array("d", [1.5]).tobytes().hex(), ctypes.sizeof(ctypes.c_long), ctypes.CDLL(None).abs(-5), pickle.loads(pickle.dumps({"k": (1, 2)})), re.sub(r"(\w+)@", r"<\1>", "me@there"))
try: [][1]
except IndexError as error: show("exception", error)

# Processes.
done = subprocess.run(["sh", "-c", "cat; echo err >&2; exit 3"], input=b"in", capture_output=True); show("subprocess", done)
with subprocess.Popen(["sort", "-n"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p: show("popen", p.communicate("\n".join(map(str, range(20, 0, -1))))[0].split()[:3], p.returncode)
try: subprocess.run(["sleep", "10"], timeout=0.3)
except subprocess.TimeoutExpired as error: show("timeout", error.cmd)
try: subprocess.run(["/none"])
except FileNotFoundError as error: show("missing", error)
show("shell", subprocess.check_output("echo $X | tr a-z A-Z", shell=True, env={**os.environ, "X": "env"}, text=True).strip(), subprocess.call(["sh", "-c", "kill -9 $$"]), os.waitstatus_to_exitcode(os.system("exit 4")))
r, w = os.pipe(); pid = os.fork()
if pid == 0: os.write(w, b"child " + str(os.getppid() != 1).encode()); os._exit(7)
show("fork", os.read(r, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), os.WIFEXITED(0), os.get_inheritable(r), os.get_blocking(r))
show("spawn", os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "exit 8"], os.environ), 0)[1]), os.sched_getaffinity(0) != set(), os.cpu_count() > 0, os.nice(0) >= 0, os.getpgid(0) == os.getpgrp())
pool = [subprocess.Popen([sys.executable, "-c", f"print({n} ** 20)"], stdout=subprocess.PIPE, text=True) for n in range(4)]; show("pool", [p.communicate()[0].strip() for p in pool])

# Threads.
work, results, lock, total = queue.Queue(), queue.Queue(), threading.Lock(), 0
def worker():
    global total
    while (item := work.get()) is not None:
        results.put(item * item)
        with lock: total += item
threads = [threading.Thread(target=worker) for _ in range(4)]
for t in threads: t.start()
for n in range(200): work.put(n)
for _ in threads: work.put(None)
for t in threads: t.join()
show("threads", total, sum(results.get() for _ in range(200)), threading.active_count())
barrier, event, order = threading.Barrier(3), threading.Event(), []
def waits(n): barrier.wait(); event.wait(5); order.append(n)
threads = [threading.Thread(target=waits, args=(n,)) for n in range(2)]; [t.start() for t in threads]; barrier.wait(); event.set(); [t.join() for t in threads]; show("barrier", sorted(order), threading.Condition().acquire(), threading.Semaphore(2).acquire(timeout=1))
with concurrent.futures.ThreadPoolExecutor(4) as executor: show("executor", sum(executor.map(lambda n: len(subprocess.check_output(["echo", str(n)])), range(12))))
local = threading.local(); local.x = 1; seen = []; t = threading.Thread(target=lambda: seen.append(hasattr(local, "x"))); t.start(); t.join(); show("local", seen); timer = threading.Timer(0.05, lambda: seen.append("timer")); timer.start(); timer.join(); show("timer", seen)

# Files.
with tempfile.TemporaryDirectory(dir=".") as folder:
    for n in range(20): os.makedirs(f"{folder}/d{n % 4}/e", exist_ok=True); open(f"{folder}/d{n % 4}/e/f{n}", "w").write("x" * n)
    show("walk", sum(len(files) for _, _, files in os.walk(folder)), sorted(e.name for e in os.scandir(folder)), sum(os.path.getsize(f) for f in glob.glob(f"{folder}/**/f*", recursive=True)))
    shutil.copytree(f"{folder}/d1", f"{folder}/copy"); shutil.make_archive("archive", "zip", folder); show("shutil", sorted(os.listdir(f"{folder}/copy/e")), len(zipfile.ZipFile("archive.zip").namelist()), shutil.which("sh") is not None); shutil.rmtree(f"{folder}/copy")
with tempfile.TemporaryFile() as f: f.write(b"abc" * 1000); f.seek(-3, 2); show("temporary", f.read(), f.tell(), os.fstat(f.fileno()).st_size); os.ftruncate(f.fileno(), 10); show("truncated", os.fstat(f.fileno()).st_size)
with tempfile.NamedTemporaryFile(dir=".") as f: show("named", stat.filemode(os.stat(f.name).st_mode), os.path.exists(f.name))
fd = os.open("f", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640); os.write(fd, b"0123456789"); os.lseek(fd, 3, os.SEEK_SET); show("os", os.read(fd, 2), os.pread(fd, 3, 7), os.pwrite(fd, b"XY", 1), os.readv(fd, [bytearray(2), bytearray(2)]), oct(os.fstat(fd).st_mode)); os.utime("f", ns=(10**9 + 1, 2 * 10**9 + 5)); s = os.stat("f"); show("times", s.st_atime_ns, s.st_mtime_ns); os.fsync(fd); os.sendfile
os.posix_fallocate(fd, 0, 5000); show("fallocate", os.fstat(fd).st_size); show("seek", [(lambda: os.lseek(fd, 0xffffffff000, 0) == 0xffffffff000)()]); os.rename("f", "g"); os.link("g", "h"); os.symlink("g", "s"); show("links", os.stat("g").st_nlink, os.readlink("s"), os.path.samefile("g", "s"), os.path.realpath("s") == os.path.realpath("g"), os.access("g", os.X_OK)); os.replace("h", "g2")
for call in (lambda: os.open("none", 0), lambda: os.mkdir("g"), lambda: os.rmdir("g"), lambda: os.listdir("g"), lambda: os.read(999, 1), lambda: os.kill(999999, 0), lambda: os.chdir("none/x"), lambda: os.unlink("."), lambda: open("/", "w")):
    try: call()
    except OSError as error: show("errno", errno.errorcode[error.errno], error.filename)
with open("g", "r+b") as f:
    with mmap.mmap(f.fileno(), 0) as m: m[0:5] = b"mmap!"; m.flush(); show("mmap", m[:10], m.find(b"89"), len(m)); f.seek(0); show("shared", f.read(6)); m.resize(8192); m[8191] = 65; show("resized", os.fstat(f.fileno()).st_size)
    with mmap.mmap(f.fileno(), 4096, access=mmap.ACCESS_COPY) as m: m[0] = 0; f.seek(0); show("private", f.read(1))
shared = mmap.mmap(-1, 4096); pid = os.fork()
if pid == 0: shared[0] = 42; os._exit(0)
os.waitpid(pid, 0); show("anonymous", shared[0])
fcntl.flock(fd, fcntl.LOCK_EX); pid = os.fork()
if pid == 0:
    other = os.open("g", os.O_RDWR)
    try: fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB); os._exit(0)
    except BlockingIOError: os._exit(3)
show("flock", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])); fcntl.flock(fd, fcntl.LOCK_UN); fcntl.lockf(fd, fcntl.LOCK_EX, 10, 0); pid = os.fork()
if pid == 0:
    try: fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 5); os._exit(0)
    except OSError as error: os._exit(error.errno)
show("lockf", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in (errno.EAGAIN, errno.EACCES)); show("fcntl", fcntl.fcntl(fd, fcntl.F_GETFD), fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE)
with open("table.csv", "w", newline="") as f: csv.writer(f).writerows([["a", "b"], [1, 'q"x']])
show("csv", list(csv.DictReader(open("table.csv"))), io.StringIO("a\nb").readlines(), open("table.csv", "rb").read())

# Signals and poll.
got = []; signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number)); os.kill(os.getpid(), signal.SIGUSR1); time.sleep(0.01); show("signal", got)
signal.signal(signal.SIGALRM, lambda *a: (_ for _ in ()).throw(TimeoutError("alarm"))); signal.setitimer(signal.ITIMER_REAL, 0.1)
try: time.sleep(5)
except TimeoutError as error: show("alarm", error)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2]); os.kill(os.getpid(), signal.SIGUSR2); show("pending", signal.sigpending(), signal.sigwait([signal.SIGUSR2]), signal.sigtimedwait([signal.SIGUSR2], 0.01))
r, w = os.pipe(); poll = select.poll(); poll.register(r, select.POLLIN); show("poll", poll.poll(20)); os.write(w, b"x"); show("poll", [e for _, e in poll.poll(1000)], select.select([r], [w], [], 1)[0] == [r]); os.read(r, 1); os.close(w); show("hangup", [e for _, e in poll.poll(1000)])
os.set_blocking(r, False); a, b = os.pipe(); os.set_blocking(a, False)
try: os.read(a, 1)
except BlockingIOError as error: show("would block", error.errno)
os.close(a)
try: os.write(b, b"x")
except BrokenPipeError as error: show("broken pipe", error.errno)

# sqlite3.
database = sqlite3.connect("p.db", timeout=60); database.execute("pragma journal_mode=wal"); database.execute("create table t(k integer primary key, v text)"); database.commit()
def insert(n):
    own = sqlite3.connect("p.db", timeout=60)
    for k in range(25):
        with own: own.execute("insert into t(v) values(?)", (f"{n}-{k}",))
    own.close()
threads = [threading.Thread(target=insert, args=(n,)) for n in range(3)]; [t.start() for t in threads]; [t.join() for t in threads]; pid = os.fork()
if pid == 0: insert(9); os._exit(0)
show("sqlite", os.waitpid(pid, 0)[1], database.execute("select count(*), count(distinct v) from t").fetchone(), database.execute("pragma integrity_check").fetchone()); database.close()
show("big", sum(n * n for n in range(300000)), (3 ** 20000).bit_length(), hashlib.sha256(bytes(bytearray(range(256)) * 20000)).hexdigest()[:16]); show("environment", os.environ.get("NONE"), os.getcwd() == os.path.abspath("."), os.umask(0o22), sys.version_info[:2], sys.argv[1:], sys.byteorder, os.uname().sysname, len(os.urandom(10)), uuid.UUID(int=5)); print(textwrap.fill("the quick brown fox " * 5, 30)); sys.exit(5)
