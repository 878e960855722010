package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tailscale.com/net/tsaddr"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// withNode runs f, under the lock, with the node that a request names.
func (a *admin) withNode(r *http.Request, f func(*node) (any, error)) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	n := a.tn.findLocked(r.PathValue("node"))
	if n == nil {
		return nil, notFound("no node %q; name one by its id, stable id, name, full name or node key", r.PathValue("node"))
	}
	return f(n)
}

func (a *admin) listNodes(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	out := []nodeView{}
	for _, n := range a.tn.sortedLocked() {
		out = append(out, a.tn.viewLocked(n))
	}
	return map[string]any{"nodes": out}, nil
}

// createNode adds a node without a tailscaled: a peer in the netmap that is
// always offline.
func (a *admin) createNode(r *http.Request) (any, error) {
	var p struct {
		Hostname   string            `json:"hostname"`
		MachineKey key.MachinePublic `json:"machineKey"` // made up if it is left out
	}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	req := &tailcfg.RegisterRequest{
		Version:  tailcfg.CurrentCapabilityVersion,
		NodeKey:  key.NewNode().Public(),
		Hostinfo: &tailcfg.Hostinfo{Hostname: p.Hostname, OS: "linux"},
	}
	if p.MachineKey.IsZero() {
		p.MachineKey = key.NewMachine().Public()
	}
	n := a.tn.admitLocked(req, p.MachineKey, nil, time.Now())
	n.approved, n.disco, n.lastSeen = true, key.NewDisco().Public(), time.Time{}
	return created{a.tn.viewLocked(n)}, nil
}

func (a *admin) getNode(r *http.Request) (any, error) {
	return a.withNode(r, func(n *node) (any, error) { return a.tn.viewLocked(n), nil })
}

func (a *admin) deleteNode(r *http.Request) (any, error) {
	return a.withNode(r, func(n *node) (any, error) {
		a.tn.removeLocked(n, "removed by an admin")
		return nil, nil
	})
}

// nodePatch has the fields of a node that can be changed; what is left out stays.
type nodePatch struct {
	CapMap      *tailcfg.NodeCapMap `json:"capMap"`
	Tags        *[]string           `json:"tags"`
	Routes      *[]string           `json:"routes"`
	CertDomains *[]string           `json:"certDomains"`
	Expired     *bool               `json:"expired"`
	KeyExpiry   *time.Time          `json:"keyExpiry"`
	Approved    *bool               `json:"approved"`
	Addresses   *[]netip.Addr       `json:"addresses"`
	Families    *families           `json:"families"`
}

func (a *admin) patchNode(r *http.Request) (any, error) {
	var p nodePatch
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	return a.withNode(r, func(n *node) (any, error) {
		changed, err := a.tn.patchLocked(n, &p, time.Now())
		if err != nil {
			return nil, err
		}
		if len(changed) > 0 {
			a.tn.events.add("node-changed", n, "by an admin: "+strings.Join(changed, ", "))
			a.tn.wakeLocked()
		}
		return a.tn.viewLocked(n), nil
	})
}

// patchLocked changes a node completely or, if a field is invalid, not at
// all. It returns the names of what it changed.
func (t *tailnet) patchLocked(n *node, p *nodePatch, now time.Time) (changed []string, err error) {
	next := *n
	note := func(what string, v any) { changed = append(changed, fmt.Sprintf("%s %v", what, v)) }
	if p.CapMap != nil {
		next.capMap = *p.CapMap
		note("capMap", len(next.capMap))
	}
	if p.Tags != nil {
		if err := checkTags(*p.Tags); err != nil {
			return nil, badRequest("%v", err)
		}
		next.tags = *p.Tags
		note("tags", next.tags)
	}
	if p.Routes != nil {
		next.routes = nil
		for _, s := range *p.Routes {
			route, err := parsePrefix(s)
			if err != nil {
				return nil, badRequest("routes: %v", err)
			}
			next.routes = append(next.routes, route)
		}
		note("routes", next.routes)
	}
	if p.CertDomains != nil {
		next.certs = slices.DeleteFunc(slices.Clone(*p.CertDomains), func(d string) bool { return d == n.name+"."+t.domain })
		note("certDomains", next.certs)
	}
	if p.Expired != nil {
		next.expiry = time.Time{}
		if *p.Expired {
			next.expiry = now.Add(-time.Second).Truncate(time.Second)
		}
		note("expired", *p.Expired)
	}
	if p.KeyExpiry != nil {
		next.expiry = p.KeyExpiry.Truncate(time.Second)
		note("keyExpiry", next.expiry)
	}
	if p.Approved != nil {
		next.approved = *p.Approved
		note("approved", next.approved)
	}
	if p.Addresses != nil {
		if err := t.readdressLocked(&next, *p.Addresses); err != nil {
			return nil, err
		}
		note("addresses", *p.Addresses)
	}
	if p.Families != nil {
		if !p.Families.valid() {
			return nil, badRequest("families is %q; use both, v4 or v6", *p.Families)
		}
		next.families = *p.Families
		note("families", next.families)
	}
	*n = next
	return changed, nil
}

// readdressLocked gives a node other addresses, at most one of each family. A
// family without one keeps its address.
func (t *tailnet) readdressLocked(n *node, addrs []netip.Addr) error {
	seen := map[bool]bool{}
	for _, addr := range addrs {
		if !tsaddr.IsTailscaleIP(addr) {
			return badRequest("address %v is outside of 100.64.0.0/10 and fd7a:115c:a1e0::/48", addr)
		}
		if seen[addr.Is6()] {
			return badRequest("addresses: more than one of a family")
		}
		seen[addr.Is6()] = true
		if other := t.ownerLocked(addr); other != nil && other.id != n.id {
			return conflict("address %v belongs to node %s", addr, other.name)
		}
		if addr.Is6() {
			n.v6 = addr
		} else {
			n.v4 = addr
		}
	}
	return nil
}

// askNode sends a request to a node over its control connection.
func (a *admin) askNode(r *http.Request) (any, error) {
	body := struct {
		Method string `json:"method"`
		Path   string `json:"path"`
		Body   string `json:"body"`
	}{Method: http.MethodGet}
	if err := readBody(r, &body); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(body.Path, "/") {
		return nil, badRequest("path %q does not begin with a slash", body.Path)
	}
	found, err := a.withNode(r, func(n *node) (any, error) { return n, nil })
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), 20*time.Second)
	defer cancel()
	res, err := a.server.ask(ctx, found.(*node), body.Method, body.Path, body.Body)
	switch {
	case errors.Is(err, errNotConnected):
		return nil, conflict("%v", err)
	case err != nil:
		return nil, &adminError{http.StatusGatewayTimeout, err.Error()}
	}
	return res, nil
}
