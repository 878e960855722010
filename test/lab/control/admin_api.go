package main

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// The admin API's part about the HTTP API.

func (a *admin) listClients(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	out := []oauthClient{}
	for _, id := range slices.Sorted(maps.Keys(a.tn.api.clients)) {
		out = append(out, *a.tn.api.clients[id])
	}
	return map[string]any{"clients": out}, nil
}

// createClient makes an OAuth client; one with a subject has no secret.
func (a *admin) createClient(r *http.Request) (any, error) {
	c := oauthClient{Scopes: list(operatorScopes)}
	if err := readBody(r, &c); err != nil {
		return nil, err
	}
	if err := checkTags(c.Tags); err != nil {
		return nil, badRequest("%v", err)
	}
	for _, scope := range c.Scopes {
		if !slices.Contains(allScopes, scope) {
			return nil, badRequest("scope %q is not one of %v", scope, allScopes)
		}
	}
	if c.ID == "" {
		c.ID = newID()
	}
	if c.Secret == "" && c.Subject == "" {
		c.Secret = "tskey-client-" + c.ID + "-" + rand.Text()
	}
	c.Tags, c.Scopes = list(c.Tags), list(c.Scopes)
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	if a.tn.api.clients[c.ID] != nil {
		return nil, conflict("client %s exists", c.ID)
	}
	a.tn.api.clients[c.ID] = &c
	a.tn.events.add("client-created", nil, fmt.Sprintf("%s: tags %v, scopes %v", c.ID, c.Tags, c.Scopes))
	return created{c}, nil
}

// deleteClient removes an OAuth client and its tokens.
func (a *admin) deleteClient(r *http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	c := a.tn.api.clients[r.PathValue("client")]
	if c == nil {
		return nil, notFound("no client %q", r.PathValue("client"))
	}
	delete(a.tn.api.clients, c.ID)
	a.tn.revokeLocked(c)
	a.tn.events.add("client-removed", nil, c.ID)
	return nil, nil
}

// deleteTokens ends all tokens.
func (a *admin) deleteTokens(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	a.tn.revokeLocked(nil)
	return nil, nil
}

func (a *admin) getAPI(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	return a.tn.api.settings, nil
}

// putAPI changes the settings in the body.
func (a *admin) putAPI(r *http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	next := a.tn.api.settings
	next.TagOwners = nil // the decoder would add to the map
	if err := readBody(r, &next); err != nil {
		return nil, err
	}
	if next.TagOwners == nil {
		next.TagOwners = a.tn.api.settings.TagOwners
	}
	if !slices.Contains([]play{playTailscale, playHeadscale, playNone}, next.Play) {
		return nil, badRequest("play is %q; use %s, %s or %s", next.Play, playTailscale, playHeadscale, playNone)
	}
	if d, err := seconds("tokenSeconds", next.TokenSeconds); err != nil || d < time.Second {
		return nil, badRequest("tokenSeconds is %v; use 1 or more", next.TokenSeconds)
	}
	for tag, owners := range next.TagOwners {
		if err := checkTags(append(list(owners), tag)); err != nil {
			return nil, badRequest("tagOwners: %v", err)
		}
	}
	a.tn.api.settings = next
	a.tn.events.add("api-changed", nil, fmt.Sprintf("%+v", next))
	return next, nil
}

func (a *admin) listFaults(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	return map[string]any{"faults": list(a.tn.api.faults)}, nil
}

// createFault adds a fault after those that are there.
func (a *admin) createFault(r *http.Request) (any, error) {
	f := &fault{Times: 1}
	if err := readBody(r, f); err != nil {
		return nil, err
	}
	if d, err := seconds("seconds", f.Seconds); err != nil || d < 0 || d > time.Hour {
		return nil, badRequest("seconds is %v; use at most 3600", f.Seconds)
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return nil, badRequest("status is %d; use 200 to 599", f.Status)
	}
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	a.tn.api.faults = append(a.tn.api.faults, f)
	return created{f}, nil
}

func (a *admin) deleteFaults(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	a.tn.api.faults = nil
	return nil, nil
}
