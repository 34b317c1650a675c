// rust-threads: a Rust program whose threads compute, meet in channels, locks, conditions and barriers, park, panic and call programs. Prints
// digests that do not depend on the order in which they run.
//
// rustc --edition 2021 -O -C target-feature=+crt-static -o rust-threads rust-threads.rs        usage: rust-threads [DIRECTORY]

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, Barrier, Condvar, Mutex, Once, RwLock};
use std::time::Duration;
use std::{env, fs, thread};

thread_local! {
    static OWN: Cell<u64> = Cell::new(1);
}

fn mix(mut hash: u64, value: u64) -> u64 {
    hash ^= value;
    hash = hash.wrapping_mul(0x100000001b3);
    hash ^ (hash >> 29)
}

fn channels() -> u64 {
    let (to, from) = channel();
    let (bounded_to, bounded_from) = sync_channel(3);
    let workers: Vec<_> = (0..16u64)
        .map(|number| {
            let (to, bounded_to) = (to.clone(), bounded_to.clone());
            thread::spawn(move || {
                for item in 0..300 {
                    to.send(number * 1000 + item).unwrap();
                    bounded_to.send(item).unwrap();
                }
                OWN.with(|own| own.set(own.get() + number));
                OWN.with(|own| own.get())
            })
        })
        .collect();
    drop((to, bounded_to));
    let adder = thread::spawn(move || bounded_from.iter().sum::<u64>());
    let mut items: Vec<u64> = from.iter().collect();
    items.sort();
    let hash = items.iter().fold(7, |hash, item| mix(hash, *item));
    let own: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
    mix(mix(hash, adder.join().unwrap()), own)
}

fn locks() -> String {
    let counter = Arc::new(Mutex::new(0u64));
    let table = Arc::new(RwLock::new(HashMap::new()));
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let barrier = Arc::new(Barrier::new(33));
    let atomically = AtomicU64::new(0);
    let leaders = AtomicU64::new(0);
    let once = Once::new();
    thread::scope(|scope| {
        for number in 0..32u64 {
            let (counter, table, gate, barrier) = (counter.clone(), table.clone(), gate.clone(), barrier.clone());
            let (atomically, leaders, once) = (&atomically, &leaders, &once);
            scope.spawn(move || {
                let mut open = gate.0.lock().unwrap();
                while !*open {
                    open = gate.1.wait(open).unwrap();
                }
                drop(open);
                for round in 0..400 {
                    *counter.lock().unwrap() += 1;
                    atomically.fetch_add(3, Ordering::Relaxed);
                    if round % 100 == 0 {
                        table.write().unwrap().insert(number * 1000 + round, round);
                    } else {
                        let _ = table.read().unwrap().get(&round);
                    }
                }
                once.call_once(|| *counter.lock().unwrap() += 1_000_000);
                if barrier.wait().is_leader() {
                    leaders.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        *gate.0.lock().unwrap() = true;
        gate.1.notify_all();
        if barrier.wait().is_leader() {
            leaders.fetch_add(1, Ordering::SeqCst);
        }
    });
    let sorted: BTreeMap<_, _> = table.read().unwrap().clone().into_iter().collect();
    let hash = sorted.iter().fold(3, |hash, (key, value)| mix(mix(hash, *key), *value));
    let total = *counter.lock().unwrap();
    format!("{} {} {} {:x}", total, atomically.into_inner(), leaders.into_inner(), hash)
}

fn parking() -> String {
    let poisoned = Arc::new(Mutex::new(5));
    let other = poisoned.clone();
    let sleeper = thread::Builder::new().name("sleeper".into()).stack_size(200_000).spawn(|| {
        thread::park();
        thread::current().name().unwrap().to_string()
    });
    let panicking = thread::spawn(move || {
        let _held = other.lock().unwrap();
        std::panic::set_hook(Box::new(|_| {}));
        panic!("on purpose");
    });
    let fault = panicking.join().unwrap_err();
    let timed = thread::spawn(|| {
        let pair = (Mutex::new(()), Condvar::new());
        let guard = pair.0.lock().unwrap();
        let (_guard, result) = pair.1.wait_timeout(guard, Duration::from_millis(5)).unwrap();
        result.timed_out()
    });
    let sleeper = sleeper.unwrap();
    sleeper.thread().unpark();
    format!("{} {:?} {} {}", sleeper.join().unwrap(), fault.downcast_ref::<&str>(), poisoned.is_poisoned(), timed.join().unwrap())
}

fn files(directory: &str) -> u64 {
    let workers: Vec<_> = (0..8u8)
        .map(|number| {
            let name = format!("{directory}/f{number}");
            thread::spawn(move || {
                fs::write(&name, vec![number; 30_000]).unwrap();
                let mut text = Vec::new();
                fs::File::open(&name).unwrap().read_to_end(&mut text).unwrap();
                fs::rename(&name, format!("{name}.done")).unwrap();
                text.iter().fold(1, |hash, byte| mix(hash, *byte as u64))
            })
        })
        .collect();
    let hash = workers.into_iter().fold(0u64, |sum, worker| sum.wrapping_add(worker.join().unwrap()));
    let mut names: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.iter().flat_map(|name| name.bytes()).fold(hash, |hash, byte| mix(hash, byte as u64))
}

fn programs() -> String {
    let own = env::args().next().unwrap();
    let children: Vec<_> = (0..4)
        .map(|number| {
            let own = own.clone();
            thread::spawn(move || {
                let mut child = Command::new(own).arg("child").arg(number.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
                child.stdin.take().unwrap().write_all(&vec![b'x'; 1000 * number]).unwrap();
                let output = child.wait_with_output().unwrap();
                format!("{} {:?}", String::from_utf8(output.stdout).unwrap(), output.status.code())
            })
        })
        .collect();
    children.into_iter().map(|child| child.join().unwrap()).collect::<Vec<_>>().join(", ")
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if arguments.get(1).map(String::as_str) == Some("child") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).unwrap();
        print!("{} read {}", arguments[2], text.len());
        std::process::exit(arguments[2].parse().unwrap());
    }
    let directory = format!("{}/lego-rust-threads", arguments.get(1).map_or("/tmp", String::as_str));
    let _ = fs::remove_dir_all(&directory);
    fs::create_dir(&directory).unwrap();
    println!("channels {:x}", channels());
    println!("locks {}", locks());
    println!("parking {}", parking());
    println!("files {:x}", files(&directory));
    println!("programs {}", programs());
    fs::remove_dir_all(&directory).unwrap();
}
