package main

import (
	"net/netip"
	"slices"
	"time"
)

// routesLocked returns the routes that n may serve.
func (t *tailnet) routesLocked(n *node) []netip.Prefix {
	routes := slices.Clone(n.routes)
	if t.settings.AutoApproveRoutes {
		for _, r := range n.advertised() {
			if !slices.Contains(routes, r) {
				routes = append(routes, r)
			}
		}
	}
	return routes
}

// primaryLocked returns the routes for which n is the primary router. Of the
// nodes that serve the same route that is the first one online; with none
// online, the first one.
func (t *tailnet) primaryLocked(n *node, now time.Time) (out []netip.Prefix) {
	if !n.approved {
		return nil
	}
	for _, r := range t.routesLocked(n) {
		var best *node
		for _, c := range t.sortedLocked() {
			if !c.approved || !slices.Contains(t.routesLocked(c), r) {
				continue
			}
			if best == nil || c.usable(now) && !best.usable(now) {
				best = c
			}
		}
		if best == n {
			out = append(out, r)
		}
	}
	return out
}
