package main

import (
	"net/netip"
	"time"

	"tailscale.com/tailcfg"
)

// nodeView is a node as the admin API shows it.
type nodeView struct {
	ID               int64              `json:"id"`
	StableID         string             `json:"stableId"`
	Name             string             `json:"name"`
	FQDN             string             `json:"fqdn"`
	Addresses        []netip.Addr       `json:"addresses"`
	Families         families           `json:"families"`
	User             string             `json:"user"`
	Tags             []string           `json:"tags"`
	Ephemeral        bool               `json:"ephemeral"`
	Approved         bool               `json:"approved"`
	Expired          bool               `json:"expired"`
	KeyExpiry        *time.Time         `json:"keyExpiry,omitempty"`
	Online           bool               `json:"online"`
	Polling          bool               `json:"polling"`
	Created          time.Time          `json:"created"`
	LastSeen         time.Time          `json:"lastSeen"`
	NodeKey          string             `json:"nodeKey"`
	MachineKey       string             `json:"machineKey"`
	Endpoints        []netip.AddrPort   `json:"endpoints"`
	HomeDERP         int                `json:"homeDerp"`
	CertDomains      []string           `json:"certDomains"`
	AdvertisedRoutes []netip.Prefix     `json:"advertisedRoutes"`
	Routes           []netip.Prefix     `json:"routes"`
	PrimaryRoutes    []netip.Prefix     `json:"primaryRoutes"`
	CapMap           tailcfg.NodeCapMap `json:"capMap"`
	Hostinfo         *tailcfg.Hostinfo  `json:"hostinfo"`
}

// viewLocked returns the view of a node. Lists are never null.
func (t *tailnet) viewLocked(n *node) nodeView {
	now := time.Now()
	v := nodeView{
		ID: int64(n.id), StableID: string(n.stableID()), Name: n.name, FQDN: n.name + "." + t.domain,
		Families: n.families, User: "lab@" + t.domain, Tags: list(n.tags),
		Ephemeral: n.ephemeral, Approved: n.approved, Expired: n.expired(now),
		Online: n.online(now), Polling: n.poll != nil, Created: n.created.UTC(), LastSeen: n.lastSeen.UTC(),
		NodeKey: n.key.String(), MachineKey: n.machine.String(),
		Endpoints: list(n.endpoints), HomeDERP: n.homeDERP, CertDomains: list(t.certDomainsLocked(n)),
		AdvertisedRoutes: list(n.advertised()), Routes: list(t.routesLocked(n)),
		PrimaryRoutes: list(t.primaryLocked(n, now)), CapMap: t.capsLocked(n), Hostinfo: n.hostinfo,
	}
	for _, p := range n.addresses() {
		v.Addresses = append(v.Addresses, p.Addr())
	}
	if len(n.tags) > 0 {
		v.User = "tagged-devices"
	}
	if n.poll != nil {
		v.LastSeen = now.UTC()
	}
	if !n.expiry.IsZero() {
		e := n.expiry.UTC()
		v.KeyExpiry = &e
	}
	return v
}

// list returns a copy of s that is not nil.
func list[T any](s []T) []T { return append([]T{}, s...) }
