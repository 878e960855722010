package main

import (
	"fmt"
	"log"
	"syscall"
)

// Never returns. Sockets of IPv6 take IPv4, too.
func serve(port int) {
	at := &syscall.SockaddrInet6{Port: port}
	listen := must(syscall.Socket(syscall.AF_INET6, syscall.SOCK_STREAM, 0))
	// Another program may have closed connections here.
	check(syscall.SetsockoptInt(listen, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	check(syscall.Bind(listen, at))
	// A connection costs this process nothing before data comes.
	check(syscall.SetsockoptInt(listen, syscall.IPPROTO_TCP, syscall.TCP_DEFER_ACCEPT, 1))
	check(syscall.Listen(listen, 4096))
	datagrams := must(syscall.Socket(syscall.AF_INET6, syscall.SOCK_DGRAM, 0))
	// Answers come from the address that was asked.
	check(syscall.SetsockoptInt(datagrams, syscall.IPPROTO_IPV6, syscall.IPV6_RECVPKTINFO, 1))
	check(syscall.Bind(datagrams, at))
	go func() {
		for {
			if fd, _, err := syscall.Accept(listen); err == nil {
				go answer(fd)
			}
		}
	}()
	fmt.Println("ready")
	message, control := make([]byte, 2048), make([]byte, 64)
	for {
		n, c, _, from, err := syscall.Recvmsg(datagrams, message, control, 0)
		if err != nil {
			continue
		}
		_ = syscall.Sendmsg(datagrams, message[:n], control[:c], from, 0)
	}
}

func answer(fd int) {
	defer syscall.Close(fd)
	message := make([]byte, 2048)
	for {
		n, err := syscall.Read(fd, message)
		if n <= 0 || err != nil {
			return
		}
		if _, err := syscall.Write(fd, message[:n]); err != nil {
			return
		}
	}
}

func must(fd int, err error) int {
	check(err)
	return fd
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
