package main

import (
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"tailscale.com/tailcfg"
)

// deviceView is a node as the HTTP API shows it.
type deviceView struct {
	ID         string         `json:"id"`
	NodeID     string         `json:"nodeId"`
	Name       string         `json:"name"`
	Hostname   string         `json:"hostname"`
	Addresses  []netip.Addr   `json:"addresses"`
	Tags       []string       `json:"tags"`
	User       string         `json:"user"`
	Authorized bool           `json:"authorized"`
	Created    time.Time      `json:"created"`
	LastSeen   time.Time      `json:"lastSeen"`
	Connected  bool           `json:"connectedToControl"`
	Expires    *time.Time     `json:"expires,omitempty"`
	NodeKey    string         `json:"nodeKey"`
	MachineKey string         `json:"machineKey"`
	OS         string         `json:"os"`
	Advertised []netip.Prefix `json:"advertisedRoutes"`
	Enabled    []netip.Prefix `json:"enabledRoutes"`
}

// deviceLocked returns the view of a node. Headscale has one ID only, and names
// without the domain.
func (a *httpAPI) deviceLocked(n *node) deviceView {
	v := a.tn.viewLocked(n)
	d := deviceView{
		ID: strconv.FormatInt(v.ID, 10), NodeID: v.StableID, Name: v.FQDN, Hostname: n.hostLabel,
		Addresses: v.Addresses, Tags: v.Tags, User: v.User, Authorized: v.Approved, Created: v.Created, LastSeen: v.LastSeen, Connected: v.Online,
		Expires: v.KeyExpiry, NodeKey: v.NodeKey, MachineKey: v.MachineKey, Advertised: v.AdvertisedRoutes, Enabled: v.Routes,
	}
	if n.hostinfo != nil {
		d.OS = n.hostinfo.OS
	}
	if a.tn.api.settings.Play == playHeadscale {
		d.ID, d.Name = d.NodeID, n.name
	}
	return d
}

func (a *httpAPI) listDevices(*http.Request, *oauthClient) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	out := []deviceView{}
	for _, n := range a.tn.sortedLocked() {
		out = append(out, a.deviceLocked(n))
	}
	return map[string]any{"devices": out}, nil
}

// findLocked finds the node whose ID or stable ID a request names.
func (a *httpAPI) findLocked(r *http.Request) (*node, error) {
	ref := r.PathValue("device")
	for _, n := range a.tn.nodes {
		if n.stableID() == tailcfg.StableNodeID(ref) || strconv.FormatInt(int64(n.id), 10) == ref {
			return n, nil
		}
	}
	return nil, notFound("device not found")
}

func (a *httpAPI) getDevice(r *http.Request, _ *oauthClient) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	n, err := a.findLocked(r)
	if err != nil {
		return nil, err
	}
	return a.deviceLocked(n), nil
}

func (a *httpAPI) deleteDevice(r *http.Request, c *oauthClient) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	n, err := a.findLocked(r)
	if err != nil {
		return nil, err
	}
	a.tn.removeLocked(n, "removed by OAuth client "+c.ID)
	return nil, nil
}
