package main

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

const (
	longestKey         = 90 * 24 * time.Hour // also the lifetime of a key that asks for none
	longestDescription = 50
)

// keyView is an auth key as the HTTP API shows it; only a new one has its text.
type keyView struct {
	ID           string       `json:"id"`
	Key          string       `json:"key,omitempty"`
	Description  string       `json:"description"`
	Created      time.Time    `json:"created"`
	Expires      *time.Time   `json:"expires,omitempty"`
	Capabilities capabilities `json:"capabilities"`
}

// capabilities are what an auth key allows.
type capabilities struct {
	Devices struct {
		Create struct {
			Reusable      bool     `json:"reusable"`
			Ephemeral     bool     `json:"ephemeral"`
			Preauthorized bool     `json:"preauthorized"`
			Tags          []string `json:"tags"`
		} `json:"create"`
	} `json:"devices"`
}

func (k *authKey) view() keyView {
	v := keyView{ID: k.ID, Description: k.Description, Created: k.Created, Expires: k.Expires}
	create := &v.Capabilities.Devices.Create
	create.Reusable, create.Ephemeral, create.Preauthorized, create.Tags = k.Reusable, k.Ephemeral, k.Approved, list(k.Tags)
	return v
}

func (a *httpAPI) createKey(r *http.Request, c *oauthClient) (any, error) {
	var p struct {
		Capabilities  *capabilities `json:"capabilities"`
		ExpirySeconds int64         `json:"expirySeconds"`
		Description   string        `json:"description"`
	}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	lifetime := time.Duration(p.ExpirySeconds) * time.Second
	switch {
	case p.Capabilities == nil:
		return nil, badRequest("capabilities are missing")
	case len(p.Description) > longestDescription:
		return nil, badRequest("description is longer than %d characters", longestDescription)
	case p.ExpirySeconds < 0 || p.ExpirySeconds > int64(longestKey.Seconds()):
		return nil, badRequest("expirySeconds must be from 0 to %d", int64(longestKey.Seconds()))
	case p.ExpirySeconds == 0:
		lifetime = longestKey
	}
	create := p.Capabilities.Devices.Create
	if len(create.Tags) == 0 {
		return nil, badRequest("an OAuth client must give tags")
	}
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	if err := a.tn.ownsLocked(c, create.Tags); err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	expires := now.Add(lifetime)
	k := &authKey{
		Key: newKeyText(), Description: p.Description, Reusable: create.Reusable, Ephemeral: create.Ephemeral, Tags: create.Tags,
		Approved: create.Preauthorized || a.tn.api.settings.Play == playHeadscale, Created: now, Expires: &expires,
	}
	a.tn.addKeyLocked(k)
	v := k.view()
	v.Key = k.Key
	return v, nil
}

func (a *httpAPI) listKeys(*http.Request, *oauthClient) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	out := []keyView{}
	for _, text := range slices.Sorted(maps.Keys(a.tn.keys)) {
		out = append(out, a.tn.keys[text].view())
	}
	return map[string]any{"keys": out}, nil
}

// keyLocked finds the key whose ID a request names.
func (a *httpAPI) keyLocked(r *http.Request) (*authKey, error) {
	for _, k := range a.tn.keys {
		if k.ID == r.PathValue("key") {
			return k, nil
		}
	}
	return nil, notFound("key not found")
}

func (a *httpAPI) getKey(r *http.Request, _ *oauthClient) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	k, err := a.keyLocked(r)
	if err != nil {
		return nil, err
	}
	return k.view(), nil
}

func (a *httpAPI) deleteKey(r *http.Request, _ *oauthClient) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	k, err := a.keyLocked(r)
	if err != nil {
		return nil, err
	}
	a.tn.dropKeyLocked(k)
	return nil, nil
}
