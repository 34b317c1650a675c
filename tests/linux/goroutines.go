// goroutines: a Go program whose goroutines compute, meet in channels, locks and conditions, sleep, are preempted and collected, call programs
// and catch signals. Prints digests that do not depend on the order in which they run.
//
// go build -o goroutines goroutines.go        usage: goroutines [DIRECTORY]
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// pipeline: numbers pass through stages of goroutines.
func pipeline() uint64 {
	const stages, numbers = 20, 2000
	first := make(chan uint64)
	from := first
	for stage := uint64(0); stage < stages; stage++ {
		to := make(chan uint64, stage%3)
		go func(from, to chan uint64, stage uint64) {
			for n := range from {
				to <- n*31 + stage
			}
			close(to)
		}(from, to, stage)
		from = to
	}
	go func() {
		for n := uint64(0); n < numbers; n++ {
			first <- n
		}
		close(first)
	}()
	sum := uint64(0)
	for n := range from {
		sum = sum*1000003 + n
	}
	return sum
}

// locks: counters under a mutex, atomically, and a condition that everybody waits for.
func locks() (int, int64) {
	var lock sync.RWMutex
	var group, ready sync.WaitGroup
	var atomically int64
	counter, open := 0, false
	condition := sync.NewCond(&lock)
	for g := 0; g < 64; g++ {
		group.Add(1)
		ready.Add(1)
		go func() {
			defer group.Done()
			lock.Lock()
			ready.Done()
			for !open {
				condition.Wait()
			}
			lock.Unlock()
			for i := 0; i < 500; i++ {
				lock.Lock()
				counter++
				lock.Unlock()
				atomic.AddInt64(&atomically, 2)
			}
		}()
	}
	ready.Wait()
	lock.Lock()
	open = true
	lock.Unlock()
	condition.Broadcast()
	group.Wait()
	return counter, atomically
}

// digests: garbage and hashes on all CPUs at once.
func digests() string {
	sums := make([]string, 32)
	var group sync.WaitGroup
	for g := range sums {
		group.Add(1)
		go func(g int) {
			defer group.Done()
			var held [][]byte
			for i := 0; i < 40; i++ {
				held = append(held, bytes.Repeat([]byte{byte(g), byte(i)}, 2000))
			}
			sums[g] = fmt.Sprintf("%x", sha256.Sum256(bytes.Join(held, nil)))
		}(g)
	}
	group.Wait()
	runtime.GC()
	sort.Strings(sums)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(fmt.Sprint(sums))))
}

// spinning: a goroutine that never calls anything is preempted by a signal.
func spinning() string {
	runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(4)
	stop := int32(0)
	begun := make(chan bool)
	done := make(chan uint64)
	go func() {
		close(begun)
		n := uint64(0)
		for atomic.LoadInt32(&stop) == 0 {
			n++
		}
		done <- n
	}()
	// However late it is scheduled, who goes on here has taken the only place from it.
	<-begun
	time.Sleep(20 * time.Millisecond)
	atomic.StoreInt32(&stop, 1)
	<-done
	return "preempted"
}

// timing: a ticker and a deadline; how often it ticks before is a matter of the machine.
func timing() string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	<-ticker.C
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err().Error()
		}
	}
}

// files: many goroutines write, read and list at once.
func files(directory string) string {
	var group sync.WaitGroup
	for g := 0; g < 16; g++ {
		group.Add(1)
		go func(g int) {
			defer group.Done()
			name := filepath.Join(directory, fmt.Sprintf("f%02d", g))
			if err := os.WriteFile(name, bytes.Repeat([]byte(name[len(name)-3:]), 5000), 0o644); err != nil {
				panic(err)
			}
		}(g)
	}
	group.Wait()
	entries, _ := os.ReadDir(directory)
	hash := sha256.New()
	for _, entry := range entries {
		text, _ := os.ReadFile(filepath.Join(directory, entry.Name()))
		fmt.Fprint(hash, entry.Name(), len(text))
		hash.Write(text)
	}
	return fmt.Sprintf("%d %x", len(entries), hash.Sum(nil))
}

// programs: children with pipes, started by several goroutines.
func programs() string {
	results := make([]string, 6)
	var group sync.WaitGroup
	for g := range results {
		group.Add(1)
		go func(g int) {
			defer group.Done()
			command := exec.Command(os.Args[0], "child", fmt.Sprint(g))
			command.Stdin = bytes.NewReader(bytes.Repeat([]byte("x"), 1000*g))
			out, err := command.Output()
			results[g] = fmt.Sprintf("%s%v", out, err)
		}(g)
	}
	group.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	err := exec.CommandContext(ctx, os.Args[0], "sleep").Run()
	return fmt.Sprint(results, err)
}

func signals() string {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	return fmt.Sprint(<-caught)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "child" {
		text, _ := io.ReadAll(os.Stdin)
		fmt.Print(os.Args[2], " read ", len(text), ";")
		if os.Args[2] == "3" {
			os.Exit(3)
		}
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "sleep" {
		time.Sleep(time.Hour)
	}
	runtime.GOMAXPROCS(4)
	directory := "/tmp"
	if len(os.Args) > 1 {
		directory = os.Args[1]
	}
	directory, err := os.MkdirTemp(directory, "lego-goroutines")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(directory)
	fmt.Println("pipeline", pipeline())
	fmt.Println(locks())
	fmt.Println("digests", digests())
	fmt.Println("spinning", spinning())
	fmt.Println("timing", timing())
	fmt.Println("files", files(directory))
	fmt.Println("programs", programs())
	fmt.Println("signals", signals())
}
