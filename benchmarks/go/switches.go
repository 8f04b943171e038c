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
	"time"
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

// With a timer that is stopped: time.After would leave each one pending for a minute.
func transfersWithTimeout(operations int) {
	channel := make(chan int)
	go func() {
		for n := 0; n < operations; n++ {
			channel <- n
		}
	}()
	for n := 0; n < operations; n++ {
		timer := time.NewTimer(time.Minute)
		select {
		case <-channel:
		case <-timer.C:
			panic("nobody came")
		}
		timer.Stop()
	}
}

func sendToEach(channels []chan int, operations int) {
	for n := 0; n < operations; n++ {
		channels[n%len(channels)] <- n
	}
}

func makeChannels(count int) []chan int {
	channels := make([]chan int, count)
	for i := range channels {
		channels[i] = make(chan int)
	}
	return channels
}

func selectsOf2(operations int) {
	c := makeChannels(2)
	go sendToEach(c, operations)
	for n := 0; n < operations; n++ {
		select {
		case <-c[0]:
		case <-c[1]:
		}
	}
}

func selectsOf8(operations int) {
	c := makeChannels(8)
	go sendToEach(c, operations)
	for n := 0; n < operations; n++ {
		select {
		case <-c[0]:
		case <-c[1]:
		case <-c[2]:
		case <-c[3]:
		case <-c[4]:
		case <-c[5]:
		case <-c[6]:
		case <-c[7]:
		}
	}
}

func sleeps(operations int) {
	const sleepers = 1000
	var all sync.WaitGroup
	all.Add(sleepers)
	for i := 0; i < sleepers; i++ {
		go func() {
			for n := operations / sleepers; n > 0; n-- {
				time.Sleep(time.Millisecond)
			}
			all.Done()
		}()
	}
	all.Wait()
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
		"transfer_timeout":         func() { transfersWithTimeout(operations) },
		"select_2":                 func() { selectsOf2(operations) },
		"select_8":                 func() { selectsOf8(operations) },
		"sleep":                    func() { sleeps(operations) },
		"spawn":                    func() { spawns(operations) },
	}
	job := jobs[os.Args[1]]
	job()
	begin := processorNanoseconds()
	job()
	fmt.Println(float64(processorNanoseconds()-begin) / float64(operations))
}
