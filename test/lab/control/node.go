package main

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// offlineGrace is how long a node without a map poll still counts as online,
// so that a reconnect does not move routes.
const offlineGrace = 2 * time.Second

// The users of the tailnet: all nodes without tags belong to one, and tagged
// nodes to another; each of these sees itself as a third one.
const (
	userLab    tailcfg.UserID = 1
	userTagged tailcfg.UserID = 2
	userSelf   tailcfg.UserID = 3
)

// node is a machine in the tailnet.
type node struct {
	id        tailcfg.NodeID
	machine   key.MachinePublic
	key       key.NodePublic
	disco     key.DiscoPublic
	hostLabel string // the name in its hostname
	name      string // its name
	tags      []string
	ephemeral bool
	approved  bool
	expiry    time.Time // zero: never
	v4, v6    netip.Addr
	families  families
	routes    []netip.Prefix // approved by an admin
	capMap    tailcfg.NodeCapMap
	certs     []string // further names for which it may have certificates
	hostinfo  *tailcfg.Hostinfo
	endpoints []netip.AddrPort
	homeDERP  int
	cap       tailcfg.CapabilityVersion
	created   time.Time
	started   time.Time // when its tailscaled started, as far as known
	lastSeen  time.Time
	poll      *poll // the map stream, nil while there is none

	services     map[tailcfg.ServiceName]*tailcfg.VIPService // its services, as it reported them last
	servicesHash string                                      // which goes with them
	learning     bool                                        // whether it is being asked for its services
}

// addressesFor returns the addresses of a new node.
func addressesFor(id tailcfg.NodeID) (v4, v6 netip.Addr) {
	a4 := [4]byte{100, 64}
	binary.BigEndian.PutUint16(a4[2:], uint16(id))
	a6 := netip.MustParseAddr("fd7a:115c:a1e0::1:0").As16() // clear of ::53, which nodes use themselves
	binary.BigEndian.PutUint16(a6[14:], uint16(id))
	return netip.AddrFrom4(a4), netip.AddrFrom16(a6)
}

func (n *node) stableID() tailcfg.StableNodeID {
	return tailcfg.StableNodeID(fmt.Sprintf("nLAB%08d", int64(n.id)))
}

// addresses returns the node's addresses of the families that it has.
func (n *node) addresses() (out []netip.Prefix) {
	if n.families != familiesV6 {
		out = append(out, netip.PrefixFrom(n.v4, 32))
	}
	if n.families != familiesV4 {
		out = append(out, netip.PrefixFrom(n.v6, 128))
	}
	return out
}

func (n *node) user() tailcfg.UserID {
	if len(n.tags) > 0 {
		return userTagged
	}
	return userLab
}

func (n *node) expired(now time.Time) bool { return !n.expiry.IsZero() && !n.expiry.After(now) }

func (n *node) online(now time.Time) bool {
	return n.poll != nil || now.Sub(n.lastSeen) < offlineGrace
}

// usable reports whether peers can send traffic to the node.
func (n *node) usable(now time.Time) bool {
	return n.approved && !n.expired(now) && n.online(now)
}

// advertised returns the routes that the node advertises.
func (n *node) advertised() []netip.Prefix {
	if n.hostinfo == nil {
		return nil
	}
	return n.hostinfo.RoutableIPs
}

// defaultCaps are the capabilities of every node.
var defaultCaps = tailcfg.NodeCapMap{
	tailcfg.CapabilityHTTPS:                           nil,
	tailcfg.CapabilityFileSharing:                     nil,
	tailcfg.NodeAttrFunnel:                            nil,
	tailcfg.CapabilityFunnelPorts + "?ports=443,8443": nil,
	tailcfg.NodeAttrDisableUPnP:                       nil,
}

// wireLocked returns the node as other nodes see it.
func (t *tailnet) wireLocked(n *node, now time.Time) *tailcfg.Node {
	addrs := n.addresses()
	primary := t.primaryLocked(n, now)
	w := &tailcfg.Node{
		ID: n.id, StableID: n.stableID(), Name: n.name + "." + t.domain + ".",
		User: n.user(), Key: n.key, KeyExpiry: n.expiry, Machine: n.machine, DiscoKey: n.disco,
		Addresses: addrs, AllowedIPs: slices.Concat(addrs, primary), PrimaryRoutes: primary,
		Endpoints: slices.Clone(n.endpoints), HomeDERP: n.homeDERP, Created: n.created, Cap: n.cap,
		Tags: slices.Clone(n.tags), MachineAuthorized: n.approved,
		CapMap: t.capsLocked(n), Expired: n.expired(now),
	}
	if n.hostinfo != nil {
		w.Hostinfo = n.hostinfo.Clone().View()
	}
	online := n.online(now)
	w.Online = &online
	if !online {
		seen := n.lastSeen.Truncate(time.Second).UTC()
		w.LastSeen = &seen
	}
	return w
}

// users returns the profiles of the tailnet's users.
func (t *tailnet) users() []tailcfg.UserProfile {
	return []tailcfg.UserProfile{
		{ID: userLab, LoginName: "lab@" + t.domain, DisplayName: "Lab"},
		{ID: userTagged, LoginName: "tagged-devices", DisplayName: "Tagged Devices"},
	}
}
