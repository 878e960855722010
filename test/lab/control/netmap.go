package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tailscale.com/net/tsaddr"
	"tailscale.com/tailcfg"
)

// grant gives some nodes application capabilities on others.
type grant struct {
	Src []string           `json:"src"` // "*", an address, a prefix or a tag
	Dst []string           `json:"dst"`
	App tailcfg.PeerCapMap `json:"app"`
}

// mapLocked returns the tailnet as one node sees it.
func (t *tailnet) mapLocked(n *node, req *tailcfg.MapRequest, now time.Time) *tailcfg.MapResponse {
	res := &tailcfg.MapResponse{
		Node:         t.wireLocked(n, now),
		DERPMap:      t.derpMap,
		Domain:       t.domain,
		DNSConfig:    t.dnsLocked(n),
		UserProfiles: t.users(),
	}
	if len(n.tags) > 0 {
		// A tagged node sees itself as a user of its own, whose name is its own: by that, Tailscale's operator learns
		// the domain of its proxies.
		res.Node.User = userSelf
		self := tailcfg.UserProfile{ID: userSelf, LoginName: n.name + "." + t.domain, DisplayName: n.name}
		res.UserProfiles = append(res.UserProfiles, self)
	}
	// Until it is approved, a node sees no other node, and no other node sees it.
	if !n.approved {
		res.PacketFilters = map[string][]tailcfg.FilterRule{"base": {}}
		return res
	}
	res.PacketFilters = map[string][]tailcfg.FilterRule{"base": t.filterLocked()}
	if !req.OmitPeers {
		for _, p := range t.sortedLocked() {
			if p != n && p.approved {
				res.Peers = append(res.Peers, t.wireLocked(p, now))
			}
		}
		t.leadToServicesLocked(n, res.Peers, now)
	}
	return res
}

// markRemoved lists the removed peers when none is left: a map without peers
// leaves a node's peers unchanged. It returns the peers of res.
func markRemoved(res *tailcfg.MapResponse, before []tailcfg.NodeID) []tailcfg.NodeID {
	var ids []tailcfg.NodeID
	for _, p := range res.Peers {
		ids = append(ids, p.ID)
	}
	if len(ids) == 0 {
		res.PeersRemoved = before
	}
	return ids
}

// dnsLocked returns the DNS settings of a node.
func (t *tailnet) dnsLocked(n *node) *tailcfg.DNSConfig {
	return &tailcfg.DNSConfig{
		Resolvers:    t.resolvers,
		Domains:      []string{t.domain},
		Proxied:      t.settings.MagicDNS,
		CertDomains:  t.certDomainsLocked(n),
		ExtraRecords: slices.Concat(t.extra, t.serviceRecordsLocked()),
	}
}

// filterLocked allows all traffic between nodes, and adds the grants.
func (t *tailnet) filterLocked() []tailcfg.FilterRule {
	rules := slices.Clone(tailcfg.FilterAllowAll)
	for _, g := range t.grants {
		var src []string
		for _, s := range g.Src {
			if s == "*" {
				src = append(src, "*")
				continue
			}
			for _, p := range t.prefixesLocked(s) {
				src = append(src, p.String())
			}
		}
		var dst []netip.Prefix
		for _, d := range g.Dst {
			dst = append(dst, t.prefixesLocked(d)...)
		}
		if len(src) > 0 && len(dst) > 0 {
			rules = append(rules, tailcfg.FilterRule{
				SrcIPs:   src,
				CapGrant: []tailcfg.CapGrant{{Dsts: dst, CapMap: g.App}},
			})
		}
	}
	return rules
}

// prefixesLocked returns the prefixes of one side of a grant.
func (t *tailnet) prefixesLocked(s string) (out []netip.Prefix) {
	switch {
	case s == "*":
		return []netip.Prefix{tsaddr.AllIPv4(), tsaddr.AllIPv6()}
	case strings.HasPrefix(s, "tag:"):
		for _, n := range t.sortedLocked() {
			if slices.Contains(n.tags, s) {
				out = append(out, n.addresses()...)
			}
		}
		return out
	}
	if p, err := parsePrefix(s); err == nil {
		out = append(out, p)
	}
	return out
}

// parsePrefix parses a prefix, or an address as a single-address prefix.
func parsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, fmt.Errorf("%q is neither an address nor a prefix", s)
	}
	if p != p.Masked() {
		return p, fmt.Errorf("prefix %q has bits set beyond its length; write %v", s, p.Masked())
	}
	return p, nil
}
