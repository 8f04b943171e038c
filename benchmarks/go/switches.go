// What goroutines take for the jobs of switch_cost.py: switches JOB OPERATIONS prints the nanoseconds of
// processor time of one operation.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
)

func processorNanoseconds() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func yields(goroutines, operations int) {
	var all sync.WaitGroup
	all.Add(goroutines)
	for i := 0; i < goroutines; i++ {
		go func() {
			for n := operations / goroutines; n > 0; n-- {
				runtime.Gosched()
			}
			all.Done()
		}()
	}
	all.Wait()
}

func transfers(operations int) {
	channel := make(chan int)
	go func() {
		for n := 0; n < operations; n++ {
			channel <- n
		}
	}()
	for n := 0; n < operations; n++ {
		<-channel
	}
}

func spawns(operations int) {
	const batch = 1000
	for n := 0; n < operations; n += batch {
		var all sync.WaitGroup
		all.Add(batch)
		for i := 0; i < batch; i++ {
			go all.Done()
		}
		all.Wait()
	}
}

func main() {
	runtime.GOMAXPROCS(1) // as one thread's tasklets
	operations, err := strconv.Atoi(os.Args[2])
	if err != nil {
		panic(err)
	}
	jobs := map[string]func(){
		"yield_2":                  func() { yields(2, operations) },
		"yield_100":                func() { yields(100, operations) },
		"yield_10000":              func() { yields(10000, operations) },
		"transfer_prefer_receiver": func() { transfers(operations) },
		"spawn":                    func() { spawns(operations) },
	}
	job := jobs[os.Args[1]]
	job()
	begin := processorNanoseconds()
	job()
	fmt.Println(float64(processorNanoseconds()-begin) / float64(operations))
}
