// Probe measures packets through a host that translates them: probe JSON, of the settings below. It makes its system
// calls itself, since what they take shall be the kernel's time; Go's own network poller, as Node's, would add its own.
//
//	serve     answers TCP and UDP at `port` of every address with what it gets, and prints `ready`
//	first     opens `times` flows, each anew, one at a time: prints the time of each, and how many failed
//	exchange  opens one flow and sends `times` messages, one at a time: prints the time of each round trip
//	crowd     opens TCP connections for `seconds`, `crowd` of them under way at any time: prints how many were answered
package main

import (
	"encoding/json"
	"log"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

type settings struct {
	Mode     string
	Protocol string
	To       netip.Addr
	// Flows go to `count` ports from `port` on, in turn, in steps that spread a few over all of them.
	Port, Count int
	Times       int
	Crowd       int
	Seconds     float64
}

type result struct {
	// Microseconds.
	Times  []float64 `json:"times,omitempty"`
	Done   int       `json:"done"`
	Failed int       `json:"failed"`
	// Of the last that failed.
	Why     string  `json:"why,omitempty"`
	Elapsed float64 `json:"elapsed"`
}

const patience = 2 * time.Second

func main() {
	var s settings
	if err := json.Unmarshal([]byte(os.Args[1]), &s); err != nil {
		log.Fatal(err)
	}
	runtime.LockOSThread()
	var r result
	begun := time.Now()
	switch s.Mode {
	case "serve":
		serve(s.Port)
	case "first":
		for n := range s.Times {
			r.add(first(s, n))
		}
	case "exchange":
		r = exchange(s)
	case "crowd":
		r = crowd(s)
	}
	r.Elapsed = time.Since(begun).Seconds()
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		log.Fatal(err)
	}
}

func (r *result) add(took time.Duration, err error) {
	if err != nil {
		r.Failed++
		r.Why = err.Error()
		return
	}
	r.Done++
	r.Times = append(r.Times, float64(took.Nanoseconds())/1000)
}

// The n-th flow's port. The step has no divisor in common with the counts that are measured.
func (s settings) portOf(n int) int { return s.Port + n*7919%s.Count }

func (s settings) socket() (int, error) {
	kind := syscall.SOCK_STREAM
	if s.Protocol == "udp" {
		kind = syscall.SOCK_DGRAM
	}
	family := syscall.AF_INET
	if s.To.Is6() {
		family = syscall.AF_INET6
	}
	fd, err := syscall.Socket(family, kind|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	limit := syscall.NsecToTimeval(patience.Nanoseconds())
	for _, option := range []int{syscall.SO_RCVTIMEO, syscall.SO_SNDTIMEO} {
		if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, option, &limit); err != nil {
			return 0, err
		}
	}
	if s.Protocol == "udp" {
		return fd, nil
	}
	// Closed by a reset, so that no port is held back.
	if err := syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}); err != nil {
		return 0, err
	}
	return fd, syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
}

func (s settings) connect(fd, port int) error {
	if s.To.Is6() {
		return syscall.Connect(fd, &syscall.SockaddrInet6{Addr: s.To.As16(), Port: port})
	}
	return syscall.Connect(fd, &syscall.SockaddrInet4{Addr: s.To.As4(), Port: port})
}

// TCP: until the connection is there. UDP: until the first datagram is answered.
func first(s settings, n int) (time.Duration, error) {
	fd, err := s.socket()
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	begun := time.Now()
	if err := s.connect(fd, s.portOf(n)); err != nil {
		return 0, err
	}
	if s.Protocol == "udp" {
		if err := trip(fd, make([]byte, 1)); err != nil {
			return 0, err
		}
	}
	return time.Since(begun), nil
}

// One message there and back.
func trip(fd int, message []byte) error {
	if _, err := syscall.Write(fd, message); err != nil {
		return err
	}
	for got := 0; got < len(message); {
		n, err := syscall.Read(fd, message[got:])
		if err != nil {
			return err
		}
		if n == 0 {
			return syscall.ECONNRESET
		}
		got += n
	}
	return nil
}

func exchange(s settings) (r result) {
	fd, err := s.socket()
	if err == nil {
		err = s.connect(fd, s.Port)
	}
	if err != nil {
		log.Fatal(err)
	}
	message := make([]byte, 64)
	for range s.Times {
		begun := time.Now()
		err := trip(fd, message)
		r.add(time.Since(begun), err)
	}
	return r
}

func crowd(s settings) (r result) {
	var all sync.Mutex
	var lanes sync.WaitGroup
	over := time.Now().Add(time.Duration(s.Seconds * float64(time.Second)))
	for lane := range s.Crowd {
		lanes.Go(func() {
			for n := lane; time.Now().Before(over); n += s.Crowd {
				err := once(s, n)
				all.Lock()
				if err == nil {
					r.Done++
				} else {
					r.Failed, r.Why = r.Failed+1, err.Error()
				}
				all.Unlock()
			}
		})
	}
	lanes.Wait()
	return r
}

func once(s settings, n int) error {
	fd, err := s.socket()
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	if err := s.connect(fd, s.portOf(n)); err != nil {
		return err
	}
	return trip(fd, make([]byte, 1))
}
