package main

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/dnstype"
	"tailscale.com/types/key"
)

// families names the address families of a node.
type families string

const (
	familiesBoth families = "both"
	familiesV4   families = "v4"
	familiesV6   families = "v6"
)

func (f families) valid() bool { return f == familiesBoth || f == familiesV4 || f == familiesV6 }

// settings are the tailnet's rules for new nodes, and for routes.
type settings struct {
	// ApprovalRequired holds new nodes until an admin approves them.
	ApprovalRequired bool `json:"approvalRequired"`
	// LoginRequired requires the interactive login of nodes without a key; otherwise they are admitted.
	LoginRequired bool `json:"loginRequired"`
	// AutoApproveRoutes approves every route that a node advertises.
	AutoApproveRoutes bool `json:"autoApproveRoutes"`
	// HTTPS lets nodes have certificates.
	HTTPS bool `json:"https"`
	// MagicDNS lets nodes resolve each other's names.
	MagicDNS bool `json:"magicDNS"`
	// Families are the address families of new nodes.
	Families families `json:"families"`
	// EphemeralTimeoutSeconds removes ephemeral nodes that were offline this long; 0 means on logout only.
	EphemeralTimeoutSeconds float64 `json:"ephemeralTimeoutSeconds"`
}

// tailnet is the state of the server. Its lock guards every field below it and
// every node, key and login in them.
type tailnet struct {
	domain    string
	derpMap   *tailcfg.DERPMap
	resolvers []*dnstype.Resolver
	events    *eventLog

	mu       sync.Mutex
	settings settings
	nodes    map[key.NodePublic]*node
	lastID   tailcfg.NodeID
	keys     map[string]*authKey
	logins   map[string]*login // by the last part of the login URL
	extra    []tailcfg.DNSRecord
	grants   []grant
	services map[tailcfg.ServiceName]*service
	api      apiState

	lastService uint16
}

func newTailnet(domain string, derp *tailcfg.DERPMap, resolvers []*dnstype.Resolver) *tailnet {
	return &tailnet{
		domain: domain, derpMap: derp, resolvers: resolvers,
		events:   newEventLog(),
		settings: settings{LoginRequired: true, HTTPS: true, MagicDNS: true, Families: familiesBoth},
		nodes:    map[key.NodePublic]*node{},
		keys:     map[string]*authKey{},
		logins:   map[string]*login{},
		services: map[tailcfg.ServiceName]*service{},
		api:      newAPIState(),
	}
}

// wakeLocked wakes every map poll.
func (t *tailnet) wakeLocked() {
	t.noteServicesLocked()
	for _, n := range t.nodes {
		if n.poll != nil {
			n.poll.wakeUp()
		}
	}
}

// byMachineLocked finds the node of a machine: a machine that returns with
// another node key is still the same node.
func (t *tailnet) byMachineLocked(m key.MachinePublic) *node {
	for _, n := range t.nodes {
		if n.machine == m {
			return n
		}
	}
	return nil
}

// findLocked finds a node by its numeric or stable ID, its name, its full name
// or its node key.
func (t *tailnet) findLocked(ref string) *node {
	ref = strings.ToLower(strings.TrimSuffix(ref, "."))
	for _, n := range t.nodes {
		if ref == n.name || ref == n.name+"."+t.domain || ref == fmt.Sprint(int64(n.id)) ||
			ref == strings.ToLower(string(n.stableID())) || ref == n.key.String() {
			return n
		}
	}
	return nil
}

// sortedLocked returns the nodes in the order of their IDs.
func (t *tailnet) sortedLocked() []*node {
	out := make([]*node, 0, len(t.nodes))
	for _, n := range t.nodes {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b *node) int { return int(a.id - b.id) })
	return out
}

// addLocked makes a node with an ID and addresses that were never used before.
func (t *tailnet) addLocked(m key.MachinePublic, k key.NodePublic, now time.Time) *node {
	for {
		t.lastID++
		v4, v6 := addressesFor(t.lastID)
		if t.ownerLocked(v4) == nil && t.ownerLocked(v6) == nil {
			n := &node{
				id: t.lastID, machine: m, key: k, v4: v4, v6: v6,
				families: t.settings.Families, created: now, lastSeen: now,
			}
			t.nodes[k] = n
			return n
		}
	}
}

// ownerLocked returns the node with an address.
func (t *tailnet) ownerLocked(a netip.Addr) *node {
	for _, n := range t.nodes {
		if n.v4 == a || n.v6 == a {
			return n
		}
	}
	return nil
}

// removeLocked removes a node from the tailnet. Its map poll ends, and later
// ones are refused as those of an unknown node.
func (t *tailnet) removeLocked(n *node, why string) {
	delete(t.nodes, n.key)
	if n.poll != nil {
		n.poll.end()
		n.poll = nil
	}
	t.events.add("node-removed", n, why)
	t.wakeLocked()
}

// nameLocked names n by its hostname, with a number if another node has that
// name.
func (t *tailnet) nameLocked(n *node, hostname string) {
	want := dnsLabel(hostname)
	if n.hostLabel == want {
		return // keeps its number although the name may be free now
	}
	n.hostLabel = want
	name := want
	for i := 1; ; i++ {
		other, service := t.findLocked(name), t.services[tailcfg.ServiceName("svc:"+name)]
		if service == nil && (other == nil || other == n) {
			n.name = name
			return
		}
		name = fmt.Sprintf("%s-%d", want, i)
	}
}

// dnsLabel converts a hostname to a DNS label for the node's name.
func dnsLabel(hostname string) string {
	var b strings.Builder
	host, _, _ := strings.Cut(strings.ToLower(hostname), ".")
	for _, r := range host {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else {
			b.WriteByte('-')
		}
	}
	label := b.String()
	if len(label) > 63 {
		label = label[:63]
	}
	if label = strings.Trim(label, "-"); label == "" {
		return "node"
	}
	return label
}

// janitor removes ephemeral nodes that stay offline, until ctx ends.
func (t *tailnet) janitor(ctx context.Context) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			t.mu.Lock()
			t.sweepLocked(now)
			t.mu.Unlock()
		}
	}
}

func (t *tailnet) sweepLocked(now time.Time) {
	limit := time.Duration(t.settings.EphemeralTimeoutSeconds * float64(time.Second))
	for _, n := range t.sortedLocked() {
		if limit > 0 && n.ephemeral && n.poll == nil && now.Sub(n.lastSeen) > limit {
			t.removeLocked(n, "ephemeral node stayed offline")
		}
	}
	for id, l := range t.logins {
		if now.Sub(l.created) > loginLifetime {
			delete(t.logins, id)
			close(l.done) // a node that still waits starts over
		}
	}
}
