package main

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/ptr"
)

// service is a Tailscale Service: a name with addresses of its own, hosted by
// one or more nodes.
type service struct {
	name        tailcfg.ServiceName
	ports       []tailcfg.ProtoPortRange // the ports that a host must serve; empty: any
	anyPort     bool                     // the HTTP API shows that ports are not checked
	comment     string
	annotations map[string]string
	tags        []string
	autoApprove bool
	v4, v6      netip.Addr
	hosts       map[tailcfg.NodeID]*serviceHost // every node that ever had it
}

// serviceHost is the approval and state of a node as host of a service.
type serviceHost struct {
	decision *bool     // of an admin; nil: none
	told     hostState // the state in the last event
}

// hostState is the state of a node as host of a service.
type hostState string

const (
	hostGone       hostState = "gone"       // the node no longer has it
	hostUntagged   hostState = "untagged"   // cannot be approved
	hostHeld       hostState = "held"       // waits for an admin
	hostIncomplete hostState = "incomplete" // lacks a port of the service
	hostConfigured hostState = "configured" // approved, but not advertised
	hostOffline    hostState = "offline"    // approved and advertised by a node that is offline
	hostArriving   hostState = "arriving"   // approved and advertised by a tailscaled that has just started
	hostServing    hostState = "serving"    // clients are routed here
)

// arrival is how long no client is routed to a tailscaled that has started, if
// others serve: until it is connected to the relay, the first packets to it are
// lost, and WireGuard retries only after five seconds.
const arrival = 3 * time.Second

// addressesOfService returns the addresses of the service with this number.
func addressesOfService(number uint16) (v4, v6 netip.Addr) {
	a4 := [4]byte{100, 101}
	binary.BigEndian.PutUint16(a4[2:], number)
	a6 := netip.MustParseAddr("fd7a:115c:a1e0::2:0").As16()
	binary.BigEndian.PutUint16(a6[14:], number)
	return netip.AddrFrom4(a4), netip.AddrFrom16(a6)
}

// addServiceLocked makes a service with addresses that were never used before.
func (t *tailnet) addServiceLocked(name tailcfg.ServiceName) *service {
	s := &service{name: name, hosts: map[tailcfg.NodeID]*serviceHost{}}
	for s.v4 == (netip.Addr{}) || t.ownerLocked(s.v4) != nil || t.ownerLocked(s.v6) != nil {
		t.lastService++
		s.v4, s.v6 = addressesOfService(t.lastService)
	}
	t.services[name] = s
	return s
}

// serviceLocked returns the service of this name, or makes it.
func (t *tailnet) serviceLocked(name tailcfg.ServiceName) (s *service, isNew bool, err error) {
	if s = t.services[name]; s != nil {
		return s, false, nil
	}
	if err := name.Validate(); err != nil {
		return nil, false, badRequest("%v", err)
	}
	if t.findLocked(name.WithoutPrefix()) != nil {
		return nil, false, conflict("a node is called %s", name.WithoutPrefix())
	}
	return t.addServiceLocked(name), true, nil
}

// serviceChangedLocked tells everybody about a new or changed service.
func (t *tailnet) serviceChangedLocked(s *service) {
	t.events.add("service-changed", nil, fmt.Sprintf("%s: %v, ports %v, auto-approve %v", s.name, s.addresses(), portTexts(s.ports), s.autoApprove))
	t.wakeLocked()
}

// dropServiceLocked removes a service.
func (t *tailnet) dropServiceLocked(s *service) {
	delete(t.services, s.name)
	t.events.add("service-removed", nil, s.name.String())
	t.wakeLocked()
}

func (s *service) addresses() []netip.Addr { return []netip.Addr{s.v4, s.v6} }

func (t *tailnet) fqdnOf(s *service) string { return s.name.WithoutPrefix() + "." + t.domain }

// sortedServicesLocked returns the services in the order of their names.
func (t *tailnet) sortedServicesLocked() []*service {
	out := make([]*service, 0, len(t.services))
	for _, name := range slices.Sorted(maps.Keys(t.services)) {
		out = append(out, t.services[name])
	}
	return out
}

// approves reports whether a node may host the service: only tagged ones may.
func (s *service) approves(n *node) bool {
	if len(n.tags) == 0 {
		return false
	}
	if h := s.hosts[n.id]; h != nil && h.decision != nil {
		return *h.decision
	}
	return s.autoApprove
}

// state returns the state of a node as host of the service.
func (s *service) state(n *node, now time.Time) hostState {
	switch has := n.services[s.name]; {
	case has == nil:
		return hostGone
	case len(n.tags) == 0:
		return hostUntagged
	case !s.approves(n):
		return hostHeld
	case !covers(has.Ports, s.ports):
		return hostIncomplete
	case !has.Active:
		return hostConfigured
	case !n.usable(now):
		return hostOffline
	case now.Sub(n.started) < arrival:
		return hostArriving
	}
	return hostServing
}

// allows reports whether a node in that state is told that it hosts the service.
func (h hostState) allows() bool {
	return h == hostIncomplete || h == hostConfigured || h == hostOffline || h == hostArriving || h == hostServing
}

// covers reports whether all wanted ports are among the existing ones.
func covers(have, want []tailcfg.ProtoPortRange) bool {
	return !slices.ContainsFunc(want, func(w tailcfg.ProtoPortRange) bool {
		return !slices.ContainsFunc(have, func(h tailcfg.ProtoPortRange) bool {
			return (h.Proto == 0 || h.Proto == w.Proto) && h.Ports.First <= w.Ports.First && w.Ports.Last <= h.Ports.Last
		})
	})
}

// noteServicesLocked records an event for every node whose state as a host changed.
func (t *tailnet) noteServicesLocked() {
	now := time.Now()
	for _, s := range t.sortedServicesLocked() {
		for _, n := range t.sortedLocked() {
			state, h := s.state(n, now), s.hosts[n.id]
			if h == nil && state == hostGone {
				continue
			}
			if h == nil {
				h = &serviceHost{}
				s.hosts[n.id] = h
			}
			if h.told != state && (h.told != "" || state != hostGone) {
				t.events.add("service-host", n, fmt.Sprintf("%s is %s", s.name, state))
				h.told = state
			}
		}
	}
}

// decideLocked approves or holds a node as host of a service.
func (s *service) decideLocked(n *node, approved bool) {
	if s.hosts[n.id] == nil {
		s.hosts[n.id] = &serviceHost{}
	}
	s.hosts[n.id].decision = ptr.To(approved)
}
