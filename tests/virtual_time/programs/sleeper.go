// Sleeps, ticks, and waits for what never comes, as Go programs do.
package main

import (
	"fmt"
	"net"
	"sync"
	"time"
)

func main() {
	start := time.Now()
	wall := start.Round(0)
	passed := func(what string) {
		now := time.Now()
		agree := now.Sub(start) - now.Round(0).Sub(wall)
		fmt.Println(what, now.Sub(start).Round(10*time.Millisecond), agree < time.Millisecond && agree > -time.Millisecond)
	}
	time.Sleep(100 * time.Second)
	passed("slept")
	ticker := time.NewTicker(10 * time.Second)
	for i := 0; i < 5; i++ {
		<-ticker.C
	}
	ticker.Stop()
	passed("ticked")
	var all sync.WaitGroup
	for i := 1; i <= 20; i++ {
		all.Add(1)
		go func(d time.Duration) {
			time.Sleep(d)
			all.Done()
		}(time.Duration(i) * time.Second)
	}
	all.Wait()
	passed("all")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	listener.(*net.TCPListener).SetDeadline(time.Now().Add(30 * time.Second))
	_, err = listener.Accept()
	passed(fmt.Sprint("accepted: ", err.(net.Error).Timeout()))
}
