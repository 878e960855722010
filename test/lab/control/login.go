package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
	"tailscale.com/util/rands"
)

const (
	maxLogins     = 1024
	loginLifetime = time.Hour
)

// login is an interactive login that waits for an admin.
type login struct {
	req     *tailcfg.RegisterRequest
	machine key.MachinePublic
	created time.Time
	done    chan struct{} // closed once completed
}

// startLoginLocked starts the interactive login of a node. The same node key
// gets the same URL again.
func (t *tailnet) startLoginLocked(req *tailcfg.RegisterRequest, m key.MachinePublic, base string, now time.Time) *tailcfg.RegisterResponse {
	for id, l := range t.logins {
		if l.req.NodeKey == req.NodeKey && l.machine == m {
			return &tailcfg.RegisterResponse{AuthURL: base + "/a/" + id}
		}
	}
	if len(t.logins) >= maxLogins {
		return t.refuseLocked(req, errors.New("too many logins wait; complete some or restart the server"))
	}
	id := rands.HexString(14)
	t.logins[id] = &login{req: req, machine: m, created: now, done: make(chan struct{})}
	url := base + "/a/" + id
	t.events.add("login-required", nil, fmt.Sprintf("host %q waits for %s", req.Hostinfo.Hostname, url))
	return &tailcfg.RegisterResponse{AuthURL: url}
}

// awaitLogin waits until the login of a URL is completed.
func (t *tailnet) awaitLogin(ctx context.Context, rawURL string) error {
	t.mu.Lock()
	l := t.logins[loginID(rawURL)]
	t.mu.Unlock()
	if l == nil {
		return nil // completed before; register decides by the node key
	}
	select {
	case <-l.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// completeLogin admits the node that waits for the login of this URL.
func (t *tailnet) completeLogin(rawURL string, now time.Time) (*node, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	id := loginID(rawURL)
	l := t.logins[id]
	if l == nil {
		return nil, false
	}
	return t.admitLocked(l.req, l.machine, nil, now), true // which ends the login
}

// loginID returns the part of a login URL that identifies the login.
func loginID(rawURL string) string {
	u, err := url.Parse(rawURL)
	if err != nil {
		return ""
	}
	return path.Base(u.Path)
}

// dropLoginsLocked ends the logins of a machine that has joined or starts over.
func (t *tailnet) dropLoginsLocked(m key.MachinePublic) {
	for id, l := range t.logins {
		if l.machine == m {
			delete(t.logins, id)
			close(l.done)
		}
	}
}
