package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// maxRequest is the maximum size in bytes of a request of a node or an admin.
const maxRequest = 4 << 20

// serveRegister answers a node that wants to join, return, log in or log out.
func (s *controlServer) serveRegister(w http.ResponseWriter, r *http.Request, m key.MachinePublic) {
	req := new(tailcfg.RegisterRequest)
	if err := decodeRequest(r, req); err != nil {
		http.Error(w, "bad register request: "+err.Error(), http.StatusBadRequest)
		return
	}
	if req.NodeKey.IsZero() {
		http.Error(w, "bad register request: no node key", http.StatusBadRequest)
		return
	}
	if req.Hostinfo == nil {
		req.Hostinfo = &tailcfg.Hostinfo{}
	}
	if req.Followup != "" {
		if err := s.tn.awaitLogin(r.Context(), req.Followup); err != nil {
			if r.Context().Err() == nil {
				writeJSON(w, http.StatusOK, &tailcfg.RegisterResponse{Error: err.Error()})
			}
			return
		}
	}
	writeJSON(w, http.StatusOK, s.tn.register(r.Context(), req, m, s.base, time.Now()))
}

// decodeRequest reads the JSON body of a node's request.
func decodeRequest(r *http.Request, v any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		return err
	}
	return json.Unmarshal(body, v)
}

// register decides about a registration.
func (t *tailnet) register(ctx context.Context, req *tailcfg.RegisterRequest, m key.MachinePublic, base string, now time.Time) *tailcfg.RegisterResponse {
	t.mu.Lock()
	defer t.mu.Unlock()
	// A request that the node has cancelled may be older than one already handled, and would restore its former key.
	if err := ctx.Err(); err != nil {
		return &tailcfg.RegisterResponse{Error: err.Error()}
	}
	n := t.nodes[req.NodeKey]
	if n != nil && n.machine != m {
		return t.refuseLocked(req, errors.New("node key belongs to another machine"))
	}
	if !req.Expiry.IsZero() && !req.Expiry.After(now) {
		return t.logoutLocked(n, now)
	}
	if n != nil {
		// A node that returns with its state needs no key, even if it sends one.
		if n.expired(now) {
			t.events.add("register-expired", n, "node key has expired; the node must log in again")
			return &tailcfg.RegisterResponse{NodeKeyExpired: true}
		}
		if !req.Expiry.IsZero() {
			n.expiry = req.Expiry
		}
		t.updateHostLocked(n, req.Hostinfo)
		t.events.add("node-returned", n, "registered again with a known node key")
		t.wakeLocked()
		return t.acceptance(n)
	}
	if req.Auth != nil && req.Auth.AuthKey != "" {
		k, err := t.useLocked(req.Auth.AuthKey, req.Hostinfo.RequestTags, now)
		if err != nil {
			return t.refuseLocked(req, err)
		}
		k.Uses++
		return t.acceptance(t.admitLocked(req, m, k, now))
	}
	if t.settings.LoginRequired {
		return t.startLoginLocked(req, m, base, now)
	}
	return t.acceptance(t.admitLocked(req, m, nil, now))
}

// admitLocked adds a node, or gives the node of a known machine its new key.
// The key is nil after a login.
func (t *tailnet) admitLocked(req *tailcfg.RegisterRequest, m key.MachinePublic, k *authKey, now time.Time) *node {
	n := t.byMachineLocked(m)
	fresh := n == nil
	if fresh {
		n = t.addLocked(m, req.NodeKey, now)
		n.approved = !t.settings.ApprovalRequired
	} else {
		delete(t.nodes, n.key)
		t.nodes[req.NodeKey] = n
		n.key = req.NodeKey
		if n.poll != nil { // it polls with the old key
			n.poll.end()
			n.poll = nil
		}
	}
	n.expiry = req.Expiry
	n.cap = req.Version
	n.ephemeral = req.Ephemeral
	n.tags = slices.Clone(req.Hostinfo.RequestTags)
	how := "after a login"
	if k != nil {
		n.ephemeral = n.ephemeral || k.Ephemeral
		n.approved = n.approved || k.Approved
		if len(n.tags) == 0 {
			n.tags = slices.Clone(k.Tags)
		}
		how = "with key " + redact(k.Key)
	} else if !t.settings.LoginRequired {
		how = "without a key"
	}
	n.lastSeen = now
	t.dropLoginsLocked(m)
	t.updateHostLocked(n, req.Hostinfo)
	kind := "node-registered"
	if !fresh {
		kind = "node-rekeyed"
	}
	t.events.add(kind, n, fmt.Sprintf("%s; addresses %v, tags %v, approved %v", how, n.addresses(), n.tags, n.approved))
	t.wakeLocked()
	return n
}

// updateHostLocked takes over the host information of a node.
func (t *tailnet) updateHostLocked(n *node, hi *tailcfg.Hostinfo) {
	if hi == nil {
		return
	}
	n.hostinfo = hi
	t.nameLocked(n, hi.Hostname)
	if hi.NetInfo != nil && hi.NetInfo.PreferredDERP != 0 {
		n.homeDERP = hi.NetInfo.PreferredDERP
	}
}

// logoutLocked expires a node's key at its request; an ephemeral node is removed.
func (t *tailnet) logoutLocked(n *node, now time.Time) *tailcfg.RegisterResponse {
	if n != nil && n.ephemeral {
		t.events.add("node-logout", n, "logged out")
		t.removeLocked(n, "ephemeral node logged out")
	} else if n != nil {
		n.expiry = now
		t.events.add("node-logout", n, "logged out")
		t.wakeLocked()
	}
	return &tailcfg.RegisterResponse{NodeKeyExpired: true}
}

// refuseLocked answers with an error that the node's user sees.
func (t *tailnet) refuseLocked(req *tailcfg.RegisterRequest, err error) *tailcfg.RegisterResponse {
	msg := fmt.Sprintf("host %q: %v", req.Hostinfo.Hostname, err)
	if req.Auth != nil {
		msg += " (key " + redact(req.Auth.AuthKey) + ")"
	}
	t.events.add("register-refused", nil, msg)
	return &tailcfg.RegisterResponse{Error: err.Error()}
}

// acceptance is the answer to an admitted node.
func (t *tailnet) acceptance(n *node) *tailcfg.RegisterResponse {
	res := &tailcfg.RegisterResponse{MachineAuthorized: n.approved}
	for _, u := range t.users() {
		if u.ID == n.user() {
			res.User = tailcfg.User{ID: u.ID, DisplayName: u.DisplayName}
			res.Login = tailcfg.Login{ID: tailcfg.LoginID(u.ID), Provider: "lab", LoginName: u.LoginName, DisplayName: u.DisplayName}
		}
	}
	return res
}
