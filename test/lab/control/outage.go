package main

import (
	"fmt"
	"log"
	"sync"
	"time"
)

// outage makes the server unreachable for a while.
type outage struct {
	events  *eventLog
	control []*gate
	derp    []*gate

	mu       sync.Mutex
	until    time.Time // zero: no outage
	withDERP bool
	timer    *time.Timer
}

// outageState is an outage as the admin API shows it.
type outageState struct {
	Active bool       `json:"active"`
	Until  *time.Time `json:"until,omitempty"`
	DERP   bool       `json:"derp,omitempty"`
}

// begin shuts control, and the relay too if requested, for d. A running outage
// is replaced.
func (o *outage) begin(d time.Duration, withDERP bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.timer != nil {
		o.timer.Stop()
	}
	if o.withDERP && !withDERP {
		reopen(o.derp)
	}
	o.until, o.withDERP = time.Now().Add(d), withDERP
	o.events.add("outage-start", nil, fmt.Sprintf("outage for %v, relay too: %v", d, withDERP))
	for _, g := range o.control {
		g.shut()
	}
	if withDERP {
		for _, g := range o.derp {
			g.shut()
		}
	}
	var t *time.Timer
	t = time.AfterFunc(d, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.timer == t { // else another outage has replaced it
			o.endLocked()
		}
	})
	o.timer = t
}

// end ends a running outage early.
func (o *outage) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.timer != nil {
		o.timer.Stop()
		o.endLocked()
	}
}

func (o *outage) endLocked() {
	reopen(o.control)
	if o.withDERP {
		reopen(o.derp)
	}
	o.timer, o.until, o.withDERP = nil, time.Time{}, false
	o.events.add("outage-end", nil, "outage over")
}

// reopen opens gates; one that cannot listen is retried until it can.
func reopen(gates []*gate) {
	for _, g := range gates {
		if err := g.open(); err != nil {
			log.Printf("listen again at %s: %v; trying on", g.addr, err)
			time.AfterFunc(200*time.Millisecond, func() { reopen([]*gate{g}) })
		}
	}
}

// state returns the current outage, if any.
func (o *outage) state() outageState {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.timer == nil {
		return outageState{}
	}
	until := o.until
	return outageState{Active: true, Until: &until, DERP: o.withDERP}
}

// relayDown reports whether the relay's host, including STUN, is down.
func (o *outage) relayDown() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.timer != nil && o.withDERP
}

// shutdown closes every gate for good.
func (o *outage) shutdown() {
	for _, g := range append(o.control, o.derp...) {
		g.Close()
	}
}
