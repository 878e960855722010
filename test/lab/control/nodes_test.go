package main

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"tailscale.com/tailcfg"
)

func TestApproval(t *testing.T) {
	n := newTestNet(t)
	n.call(200, "PUT", "/settings", `{"approvalRequired":true}`)
	held, let := newMachine(), newMachine()
	n.mustJoin(held, "held", n.key(`{}`))
	n.mustJoin(let, "let", n.key(`{"approved":true}`))
	if m := n.netmap(held); m.Node.MachineAuthorized || len(m.Peers) > 0 {
		t.Errorf("held node sees %+v", m)
	}
	if m := n.netmap(let); !m.Node.MachineAuthorized || len(m.Peers) > 0 {
		t.Errorf("approved node sees %+v", m)
	}
	n.call(200, "PATCH", "/nodes/held", `{"approved":true}`)
	if m := n.netmap(let); len(m.Peers) != 1 {
		t.Errorf("after approval: %+v", m)
	}
}

func TestNodeWithoutMachine(t *testing.T) {
	n := newTestNet(t)
	m := newMachine()
	n.mustJoin(m, "real", n.key(`{}`))
	n.call(201, "POST", "/nodes", `{"hostname":"web"}`)
	n.call(201, "POST", "/nodes", `{"hostname":"web"}`)
	var names []string
	for _, p := range n.netmap(m).Peers {
		names = append(names, p.Name)
		if !p.MachineAuthorized || *p.Online || p.DiscoKey.IsZero() {
			t.Errorf("peer %+v", p)
		}
	}
	if want := []string{"web.lab.ts.net.", "web-1.lab.ts.net."}; !slices.Equal(names, want) {
		t.Errorf("peers are %q", names)
	}
}

func TestNames(t *testing.T) {
	n := newTestNet(t)
	k := n.key(`{"reusable":true}`)
	a, b := newMachine(), newMachine()
	n.mustJoin(a, "Web_1.local", k)
	n.mustJoin(b, "web-1", k)
	if m := n.netmap(a); m.Node.Name != "web-1.lab.ts.net." || !slices.Equal(m.DNSConfig.CertDomains, []string{"web-1.lab.ts.net"}) {
		t.Errorf("first node is %q with certificates for %v", m.Node.Name, m.DNSConfig.CertDomains)
	}
	if m := n.netmap(b); m.Node.Name != "web-1-1.lab.ts.net." {
		t.Errorf("second node is %q", m.Node.Name)
	}
	if got := dnsLabel("..."); got != "node" {
		t.Errorf("no name gives %q", got)
	}
	for _, ref := range []string{"web-1", "WEB-1.lab.ts.net.", "1", "nLAB00000001", a.k.String()} {
		n.call(200, "GET", "/nodes/"+ref, "")
	}
}

func TestAddressesAndIDsAreNotReused(t *testing.T) {
	n := newTestNet(t)
	k := n.key(`{"reusable":true}`)
	a, b, c := newMachine(), newMachine(), newMachine()
	n.mustJoin(a, "a", k)
	n.mustJoin(b, "b", k)
	n.call(409, "PATCH", "/nodes/b", `{"addresses":["100.64.0.1"]}`)
	n.call(200, "PATCH", "/nodes/b", `{"addresses":["100.64.0.3","fd7a:115c:a1e0::99"]}`)
	n.call(204, "DELETE", "/nodes/a", "")
	n.mustJoin(c, "c", k) // id 3 would have the address that b has now
	if got := n.netmap(c).Node.Addresses[0].String(); got != "100.64.0.4/32" {
		t.Errorf("new node has %s", got)
	}
	n.call(200, "PATCH", "/nodes/b", `{"families":"v6"}`)
	if got := n.netmap(b).Node.Addresses; len(got) != 1 || got[0].String() != "fd7a:115c:a1e0::99/128" {
		t.Errorf("v6 only: %v", got)
	}
}

func TestPatchIsAllOrNothing(t *testing.T) {
	n := newTestNet(t)
	n.mustJoin(newMachine(), "a", n.key(`{}`))
	for _, body := range []string{
		`{"approved":false,"bogus":1}`, `{"approved":false,"tags":["web"]}`, `{"approved":false,"families":"v5"}`,
		`{"approved":false,"routes":["10.0.0.1/8"]}`, `{"approved":false,"addresses":["10.0.0.1"]}`,
		`{"approved":false,"addresses":["100.64.0.7","100.64.0.8"]}`, `{"approved":false} {}`, `{"approved":"no"}`, `[`,
	} {
		n.call(400, "PATCH", "/nodes/a", body)
	}
	if got := n.call(200, "GET", "/nodes/a", ""); got["approved"] != true {
		t.Errorf("a refused change took hold: %v", got)
	}
	n.call(404, "PATCH", "/nodes/b", `{}`)
}

func TestPrimaryRoutes(t *testing.T) {
	n := newTestNet(t)
	k := n.key(`{"reusable":true}`)
	a, b := newMachine(), newMachine()
	n.mustJoin(a, "a", k)
	n.mustJoin(b, "b", k)
	for _, who := range []string{"a", "b"} {
		n.call(200, "PATCH", "/nodes/"+who, `{"routes":["192.0.2.0/24","100.99.0.1"]}`)
	}
	primary := func(c *machine) int { return len(n.netmap(c).Node.PrimaryRoutes) }
	if primary(a) != 2 || primary(b) != 0 {
		t.Errorf("both online: %d and %d routes", primary(a), primary(b))
	}
	n.nodes[a.k].lastSeen = time.Now().Add(-time.Minute)
	if primary(a) != 0 || primary(b) != 2 {
		t.Errorf("first offline: %d and %d routes", primary(a), primary(b))
	}
	n.nodes[a.k].hostinfo.RoutableIPs = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	n.call(200, "PUT", "/settings", `{"autoApproveRoutes":true}`)
	if primary(a) != 1 {
		t.Errorf("advertised route is not served: %d", primary(a))
	}
}

func TestLastPeerIsRemoved(t *testing.T) {
	peers := func(ids ...tailcfg.NodeID) *tailcfg.MapResponse {
		m := &tailcfg.MapResponse{}
		for _, id := range ids {
			m.Peers = append(m.Peers, &tailcfg.Node{ID: id})
		}
		return m
	}
	had := markRemoved(peers(1, 2), nil)
	m := peers(1)
	if had = markRemoved(m, had); len(m.PeersRemoved) > 0 {
		t.Errorf("a full list names removed peers: %v", m.PeersRemoved)
	}
	m = peers()
	if had = markRemoved(m, had); !slices.Equal(m.PeersRemoved, []tailcfg.NodeID{1}) {
		t.Errorf("removed %v", m.PeersRemoved)
	}
	m = peers()
	if markRemoved(m, had); len(m.PeersRemoved) > 0 {
		t.Errorf("removed twice: %v", m.PeersRemoved)
	}
}

func TestGrants(t *testing.T) {
	n := newTestNet(t)
	a := newMachine()
	n.mustJoin(a, "a", n.key(`{"tags":["tag:k8s"]}`))
	n.call(400, "PUT", "/grants", `{"grants":[{"src":["*"],"dst":["nobody"],"app":{"x.example/cap":[]}}]}`)
	n.call(400, "PUT", "/grants", `{"grants":[{"src":["*"],"dst":["*"]}]}`)
	n.call(200, "PUT", "/grants", `{"grants":[{"src":["tag:k8s"],"dst":["100.64.0.1"],"app":{"x.example/cap":[{"a":1}]}}]}`)
	rules := n.netmap(a).PacketFilters["base"]
	if len(rules) != 2 || !slices.Contains(rules[1].SrcIPs, "100.64.0.1/32") || len(rules[1].CapGrant[0].CapMap) != 1 {
		t.Errorf("rules %+v", rules)
	}
}
