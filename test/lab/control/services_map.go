package main

import (
	"encoding/json"
	"net/netip"
	"slices"
	"time"

	"tailscale.com/tailcfg"
)

// hostForLocked returns the node to which a client is routed for a service, or nil.
//
// Clients are distributed over the approved hosts in turn. A client whose host
// does not serve is moved to those that do; the others stay. If none serves, one
// that will soon or did last is better than none.
func (t *tailnet) hostForLocked(s *service, client *node, now time.Time) *node {
	var hosts []*node
	able := map[hostState][]*node{}
	turn := 0
	for _, n := range t.sortedLocked() {
		if s.hosts[n.id] != nil && s.approves(n) {
			hosts = append(hosts, n)
			state := s.state(n, now)
			able[state] = append(able[state], n)
		} else if n.id < client.id {
			turn++
		}
	}
	for _, state := range []hostState{hostServing, hostArriving, hostOffline} {
		best := able[state]
		if slices.Contains(best, client) {
			return nil
		}
		if len(best) == 0 {
			continue
		}
		if home := hosts[turn%len(hosts)]; slices.Contains(best, home) {
			return home
		}
		return best[turn/len(hosts)%len(best)]
	}
	return nil
}

// leadToServicesLocked adds the addresses of services to the peers that host
// them for a node.
func (t *tailnet) leadToServicesLocked(n *node, peers []*tailcfg.Node, now time.Time) {
	for _, s := range t.sortedServicesLocked() {
		host := t.hostForLocked(s, n, now)
		for _, p := range peers {
			if host == nil || p.ID != host.id {
				continue
			}
			for _, a := range s.addresses() {
				route := netip.PrefixFrom(a, a.BitLen())
				p.AllowedIPs = append(p.AllowedIPs, route)
				p.PrimaryRoutes = append(p.PrimaryRoutes, route)
			}
		}
	}
}

// hostedLocked returns the services that a node is told to host.
func (t *tailnet) hostedLocked(n *node, now time.Time) (out []*service) {
	for _, s := range t.sortedServicesLocked() {
		if s.state(n, now).allows() {
			out = append(out, s)
		}
	}
	return out
}

// certDomainsLocked returns the names for which a node may have certificates.
func (t *tailnet) certDomainsLocked(n *node) []string {
	if !t.settings.HTTPS {
		return nil
	}
	out := append([]string{n.name + "." + t.domain}, n.certs...)
	for _, s := range t.hostedLocked(n, time.Now()) {
		out = append(out, t.fqdnOf(s))
	}
	return out
}

// capsLocked returns a node's capabilities: its own, those of every node, and
// those that describe services.
func (t *tailnet) capsLocked(n *node) tailcfg.NodeCapMap {
	out := make(tailcfg.NodeCapMap, len(defaultCaps)+len(n.capMap)+len(t.services)+1)
	for c, v := range defaultCaps {
		out[c] = v
	}
	for c, v := range n.capMap {
		out[c] = v
	}
	if !t.settings.HTTPS {
		delete(out, tailcfg.CapabilityHTTPS)
	}
	for _, s := range t.sortedServicesLocked() {
		details := tailcfg.ServiceDetails{Name: s.name, Addrs: s.addresses(), Ports: s.ports}
		out[tailcfg.NodeCapability(string(tailcfg.NodeAttrPrefixServices)+s.name.WithoutPrefix())] = rawJSON(details)
	}
	mappings := tailcfg.ServiceIPMappings{}
	for _, s := range t.hostedLocked(n, time.Now()) {
		mappings[s.name] = s.addresses()
	}
	if len(mappings) > 0 {
		out[tailcfg.NodeAttrServiceHost] = append(slices.Clone(out[tailcfg.NodeAttrServiceHost]), rawJSON(mappings)...)
	}
	return out
}

// rawJSON encodes the value of a capability.
func rawJSON(v any) []tailcfg.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // these types can always be encoded
	}
	return []tailcfg.RawMessage{tailcfg.RawMessage(b)}
}

// serviceRecordsLocked returns the DNS records of services.
func (t *tailnet) serviceRecordsLocked() (out []tailcfg.DNSRecord) {
	for _, s := range t.sortedServicesLocked() {
		for _, a := range s.addresses() {
			kind := "A"
			if a.Is6() {
				kind = "AAAA"
			}
			out = append(out, tailcfg.DNSRecord{Name: t.fqdnOf(s), Type: kind, Value: a.String()})
		}
	}
	return out
}
