package main

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"
)

func (a *admin) getHealth(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	return map[string]any{"ok": true, "domain": a.tn.domain, "controlUrl": a.server.base, "nodes": len(a.tn.nodes)}, nil
}

func (a *admin) getSettings(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	return a.tn.settings, nil
}

// putSettings changes the settings in the body.
func (a *admin) putSettings(r *http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	next := a.tn.settings
	if err := readBody(r, &next); err != nil {
		return nil, err
	}
	if !next.Families.valid() {
		return nil, badRequest("families is %q; use both, v4 or v6", next.Families)
	}
	if d, err := seconds("ephemeralTimeoutSeconds", next.EphemeralTimeoutSeconds); err != nil || d < 0 {
		return nil, badRequest("ephemeralTimeoutSeconds is %v; use 0 for never, or more", next.EphemeralTimeoutSeconds)
	}
	a.tn.settings = next
	a.tn.events.add("settings-changed", nil, fmt.Sprintf("%+v", next))
	a.tn.wakeLocked()
	return next, nil
}

func (a *admin) getGrants(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	return map[string]any{"grants": list(a.tn.grants)}, nil
}

func (a *admin) putGrants(r *http.Request) (any, error) {
	var p struct {
		Grants []grant `json:"grants"`
	}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	for i, g := range p.Grants {
		if len(g.Src) == 0 || len(g.Dst) == 0 || len(g.App) == 0 {
			return nil, badRequest("grant %d lacks src, dst or app", i)
		}
		for _, s := range slices.Concat(g.Src, g.Dst) {
			if _, err := parsePrefix(s); err != nil && s != "*" && !tagPattern.MatchString(s) {
				return nil, badRequest("grant %d: %q is no *, tag, address or prefix", i, s)
			}
		}
	}
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	a.tn.grants = p.Grants
	a.tn.events.add("grants-changed", nil, fmt.Sprintf("%d grants", len(p.Grants)))
	a.tn.wakeLocked()
	return map[string]any{"grants": list(a.tn.grants)}, nil
}

func (a *admin) getOutage(*http.Request) (any, error) { return a.outage.state(), nil }

func (a *admin) startOutage(r *http.Request) (any, error) {
	var p struct {
		Seconds float64 `json:"seconds"`
		DERP    bool    `json:"derp"`
	}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	d, err := seconds("seconds", p.Seconds)
	if err != nil || d <= 0 || d > time.Hour {
		return nil, badRequest("seconds is %v; use more than 0 and at most 3600", p.Seconds)
	}
	a.outage.begin(d, p.DERP)
	return a.outage.state(), nil
}

func (a *admin) endOutage(*http.Request) (any, error) {
	a.outage.end()
	return nil, nil
}

// getEvents returns the events after ?since=, waiting up to ?wait= seconds for one.
func (a *admin) getEvents(r *http.Request) (any, error) {
	q := r.URL.Query()
	var since int64
	var wait float64
	var err error
	if s := q.Get("since"); s != "" {
		if since, err = strconv.ParseInt(s, 10, 64); err != nil {
			return nil, badRequest("since is %q; use the id of an event", s)
		}
	}
	if s := q.Get("wait"); s != "" {
		if wait, err = strconv.ParseFloat(s, 64); err != nil || !(wait >= 0 && wait <= 60) {
			return nil, badRequest("wait is %q; use 0 to 60 seconds", s)
		}
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Duration(wait*float64(time.Second)))
	defer cancel()
	events, last := a.tn.events.await(ctx, since)
	return map[string]any{"events": events, "last": last}, nil
}

// seconds converts a number from a request to a duration.
func seconds(what string, n float64) (time.Duration, error) {
	if math.IsNaN(n) || math.Abs(n) > 1e9 {
		return 0, badRequest("%s is %v; use at most 1e9", what, n)
	}
	return time.Duration(n * float64(time.Second)), nil
}
