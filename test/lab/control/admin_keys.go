package main

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

func (a *admin) listKeys(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	out := []authKey{}
	for _, name := range slices.Sorted(maps.Keys(a.tn.keys)) {
		out = append(out, *a.tn.keys[name])
	}
	return map[string]any{"keys": out}, nil
}

func (a *admin) createKey(r *http.Request) (any, error) {
	var p struct {
		Key              *string  `json:"key"`
		Reusable         bool     `json:"reusable"`
		Ephemeral        bool     `json:"ephemeral"`
		ExpiresInSeconds *float64 `json:"expiresInSeconds"`
		Tags             []string `json:"tags"`
		Approved         bool     `json:"approved"`
	}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	if err := checkTags(p.Tags); err != nil {
		return nil, badRequest("%v", err)
	}
	now := time.Now().UTC()
	k := &authKey{
		Key: newKeyText(), Reusable: p.Reusable, Ephemeral: p.Ephemeral, Tags: list(p.Tags),
		Approved: p.Approved, Created: now,
	}
	if p.Key != nil {
		if !keyPattern.MatchString(*p.Key) {
			return nil, badRequest("key must be tskey-auth- and 4 to 100 letters, digits, - or _ after it")
		}
		k.Key = *p.Key
	}
	if p.ExpiresInSeconds != nil {
		d, err := seconds("expiresInSeconds", *p.ExpiresInSeconds)
		if err != nil {
			return nil, err
		}
		expires := now.Add(d) // in the past if negative: an expired key
		k.Expires = &expires
	}
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	if a.tn.keys[k.Key] != nil {
		return nil, conflict("key %s exists", redact(k.Key))
	}
	a.tn.addKeyLocked(k)
	return created{*k}, nil
}

// patchKey changes when a key expires.
func (a *admin) patchKey(r *http.Request) (any, error) {
	var p struct {
		ExpiresInSeconds float64 `json:"expiresInSeconds"`
	}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	d, err := seconds("expiresInSeconds", p.ExpiresInSeconds)
	if err != nil {
		return nil, err
	}
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	k, err := a.keyLocked(r)
	if err != nil {
		return nil, err
	}
	expires := time.Now().UTC().Add(d)
	k.Expires = &expires
	return *k, nil
}

// keyLocked finds the key that a request names.
func (a *admin) keyLocked(r *http.Request) (*authKey, error) {
	if k := a.tn.keys[r.PathValue("key")]; k != nil {
		return k, nil
	}
	return nil, notFound("no key %s", redact(r.PathValue("key")))
}

func (a *admin) getKey(r *http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	k, err := a.keyLocked(r)
	if err != nil {
		return nil, err
	}
	return *k, nil
}

func (a *admin) deleteKey(r *http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	k, err := a.keyLocked(r)
	if err != nil {
		return nil, err
	}
	a.tn.dropKeyLocked(k)
	return nil, nil
}

// listLogins returns the pending logins, oldest first.
func (a *admin) listLogins(*http.Request) (any, error) {
	type view struct {
		URL      string    `json:"url"`
		Hostname string    `json:"hostname"`
		Created  time.Time `json:"created"`
	}
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	out := []view{}
	for id, l := range a.tn.logins {
		out = append(out, view{a.server.base + "/a/" + id, l.req.Hostinfo.Hostname, l.created.UTC()})
	}
	slices.SortFunc(out, func(x, y view) int { return x.Created.Compare(y.Created) })
	return map[string]any{"logins": out}, nil
}

func (a *admin) completeLogin(r *http.Request) (any, error) {
	var p struct {
		URL string `json:"url"`
	}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	n, ok := a.tn.completeLogin(p.URL, time.Now())
	if !ok {
		return nil, notFound("no login waits at %q; GET /logins has those that do", p.URL)
	}
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	return a.tn.viewLocked(n), nil
}
