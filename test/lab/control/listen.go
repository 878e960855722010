package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// bindPatience is how long a listener waits for its address: a v6 address is
// not usable until duplicate address detection has finished.
const bindPatience = 5 * time.Second

// retryBind calls bind until it succeeds, fails permanently, or bindPatience is over.
func retryBind(what string, bind func() error) error {
	deadline := time.Now().Add(bindPatience)
	for {
		err := bind()
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.EADDRNOTAVAIL) && time.Now().Before(deadline):
			time.Sleep(50 * time.Millisecond)
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			return fmt.Errorf("%s: %w; add the address to an interface of this network namespace", what, err)
		case errors.Is(err, syscall.EADDRINUSE):
			return fmt.Errorf("%s: %w; stop the program that holds the port, or use another address", what, err)
		case errors.Is(err, syscall.EACCES):
			return fmt.Errorf("%s: %w; run with the right to bind low ports", what, err)
		default:
			return fmt.Errorf("%s: %w", what, err)
		}
	}
}

// startPublic opens every port that nodes use and serves them in the
// background. Later errors go to failed.
func startPublic(addrs addrList, control http.Handler, names *dnsStore, out *outage, failed chan<- error) error {
	relay, err := newRelay()
	if err != nil {
		return err
	}
	web := &http.Server{Handler: control, ReadHeaderTimeout: 20 * time.Second}
	for _, a := range addrs {
		controlGate, err := openGate(netip.AddrPortFrom(a, portControl))
		if err != nil {
			return err
		}
		out.control = append(out.control, controlGate)
		go func() { failed <- fmt.Errorf("control: %w", web.Serve(controlGate)) }()

		derpGate, err := openGate(netip.AddrPortFrom(a, portDERP))
		if err != nil {
			return err
		}
		out.derp = append(out.derp, derpGate)
		go func() { failed <- fmt.Errorf("DERP: %w", relay.serve(derpGate)) }()

		if err := serveSTUN(netip.AddrPortFrom(a, portSTUN), out); err != nil {
			return err
		}
		if err := startDNS(netip.AddrPortFrom(a, portDNS), names, failed); err != nil {
			return err
		}
	}
	return nil
}

// startDNS serves DNS over UDP and TCP at one address.
func startDNS(ap netip.AddrPort, names *dnsStore, failed chan<- error) error {
	var pc net.PacketConn
	var ln net.Listener
	err := retryBind("DNS at "+ap.String(), func() (err error) {
		if pc == nil {
			if pc, err = net.ListenPacket("udp", ap.String()); err != nil {
				pc = nil
				return err
			}
		}
		ln, err = net.Listen("tcp", ap.String())
		return err
	})
	if err != nil {
		return err
	}
	for _, s := range []*dns.Server{{PacketConn: pc, Handler: names}, {Listener: ln, Handler: names}} {
		go func() { failed <- fmt.Errorf("DNS: %w", s.ActivateAndServe()) }()
	}
	return nil
}

// listenAdmin opens the admin socket for this user only, and replaces one that
// an earlier run left.
func listenAdmin(path string) (net.Listener, error) {
	if fi, err := os.Lstat(path); err == nil {
		if fi.Mode()&os.ModeSocket == 0 {
			return nil, fmt.Errorf("admin socket %s: a file that is no socket is there; remove it or give another path", path)
		}
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			c.Close()
			return nil, fmt.Errorf("admin socket %s: another program answers there; stop it or give another path", path)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("admin socket: remove the stale one: %w", err)
		}
	}
	// The umask sets the mode from the start; a chmod would be too late.
	old := syscall.Umask(0o177)
	ln, err := net.Listen("unix", path)
	syscall.Umask(old)
	if err != nil {
		return nil, fmt.Errorf("admin socket %s: %w; its folder must exist and the path be shorter than 108 bytes", path, err)
	}
	return ln, nil
}
