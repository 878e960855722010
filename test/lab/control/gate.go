package main

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// vanished is the time without an answer after which a connection is closed: a
// host that is gone with its network does not close it.
const vanished = 8 * time.Second

const tcpUserTimeout = 18 // which package syscall lacks

// vanishing configures listeners whose connections are closed after that time.
var vanishing = net.ListenConfig{
	KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 4 * time.Second, Interval: 2 * time.Second, Count: 2},
	Control: func(_, _ string, c syscall.RawConn) (err error) {
		if cerr := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(vanished.Milliseconds()))
		}); cerr != nil {
			return cerr
		}
		return err
	},
}

// gate is a TCP listener that can be shut and opened again. While shut, its
// port is closed, so that the kernel refuses connections, and existing
// connections are closed.
type gate struct {
	addr string

	mu     sync.Mutex
	ln     net.Listener // nil while shut
	opened chan struct{}
	conns  map[*gateConn]struct{}
	ended  bool
}

// gateConn removes itself from its gate when it closes.
type gateConn struct {
	net.Conn
	gate *gate
}

func (c *gateConn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c)
	c.gate.mu.Unlock()
	return c.Conn.Close()
}

// openGate listens at ap.
func openGate(ap netip.AddrPort) (*gate, error) {
	g := &gate{addr: ap.String(), opened: make(chan struct{}), conns: map[*gateConn]struct{}{}}
	if err := retryBind("listen at "+g.addr, g.open); err != nil {
		return nil, err
	}
	return g, nil
}

// open listens; it does nothing for a gate that is open or closed for good.
func (g *gate) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ln != nil || g.ended {
		return nil
	}
	ln, err := vanishing.Listen(context.Background(), "tcp", g.addr)
	if err != nil {
		return err
	}
	g.addr = ln.Addr().String() // a port chosen by the kernel stays the same
	g.ln = ln
	close(g.opened)
	return nil
}

// shut stops listening and closes every connection.
func (g *gate) shut() {
	g.mu.Lock()
	if g.ln != nil {
		g.ln.Close()
		g.ln = nil
		g.opened = make(chan struct{})
	}
	cut := g.conns
	g.conns = map[*gateConn]struct{}{}
	g.mu.Unlock()
	for c := range cut {
		// A reset notifies the other side at once, as a crashed host would.
		if t, ok := c.Conn.(*net.TCPConn); ok {
			t.SetLinger(0)
		}
		c.Conn.Close()
	}
}

// Accept returns the next connection, and waits while the gate is shut.
func (g *gate) Accept() (net.Conn, error) {
	for {
		g.mu.Lock()
		ln, opened, ended := g.ln, g.opened, g.ended
		g.mu.Unlock()
		if ended {
			return nil, net.ErrClosed
		}
		if ln == nil {
			<-opened
			continue
		}
		c, err := ln.Accept()
		g.mu.Lock()
		current := g.ln == ln
		if err == nil && current {
			gc := &gateConn{Conn: c, gate: g}
			g.conns[gc] = struct{}{}
			g.mu.Unlock()
			return gc, nil
		}
		g.mu.Unlock()
		if err == nil {
			c.Close() // accepted while the gate was being shut
		} else if current {
			// Out of file descriptors or the like: wait instead of spinning.
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// Close ends the gate for good.
func (g *gate) Close() error {
	g.shut()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.ended {
		g.ended = true
		close(g.opened)
	}
	return nil
}

// Addr returns the address that the gate listens on while open.
func (g *gate) Addr() net.Addr { return net.TCPAddrFromAddrPort(netip.MustParseAddrPort(g.addr)) }
