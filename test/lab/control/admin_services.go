package main

import (
	"maps"
	"net/http"
	"net/netip"
	"time"

	"tailscale.com/tailcfg"
)

// serviceView is a service as the admin API shows it.
type serviceView struct {
	Name        string            `json:"name"`
	FQDN        string            `json:"fqdn"`
	Addresses   []netip.Addr      `json:"addresses"`
	Ports       []string          `json:"ports"`
	Comment     string            `json:"comment"`
	Annotations map[string]string `json:"annotations"`
	Tags        []string          `json:"tags"`
	AutoApprove bool              `json:"autoApprove"`
	Hosts       []serviceHostView `json:"hosts"`
}

type serviceHostView struct {
	Node    string    `json:"node"`
	State   hostState `json:"state"`
	Ports   []string  `json:"ports"`
	Clients []string  `json:"clients"` // the nodes that are routed here
}

// serviceViewLocked returns the view of a service. Lists are never null.
func (t *tailnet) serviceViewLocked(s *service) serviceView {
	now := time.Now()
	v := serviceView{
		Name: s.name.String(), FQDN: t.fqdnOf(s), Addresses: s.addresses(),
		Ports: portTexts(s.ports), Comment: s.comment, Annotations: map[string]string{}, Tags: list(s.tags),
		AutoApprove: s.autoApprove, Hosts: []serviceHostView{},
	}
	maps.Copy(v.Annotations, s.annotations)
	clients := map[*node][]string{}
	for _, n := range t.sortedLocked() {
		if host := t.hostForLocked(s, n, now); host != nil {
			clients[host] = append(clients[host], n.name)
		}
	}
	for _, n := range t.sortedLocked() {
		if s.hosts[n.id] == nil {
			continue
		}
		h := serviceHostView{Node: n.name, State: s.state(n, now), Ports: []string{}, Clients: list(clients[n])}
		if has := n.services[s.name]; has != nil {
			h.Ports = portTexts(has.Ports)
		}
		v.Hosts = append(v.Hosts, h)
	}
	return v
}

func portTexts(ports []tailcfg.ProtoPortRange) []string {
	out := []string{}
	for _, p := range ports {
		out = append(out, p.String())
	}
	return out
}

// withService runs f, under the lock, with the service that a request names.
func (a *admin) withService(r *http.Request, f func(*service) (any, error)) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	s := a.tn.services[tailcfg.ServiceName(r.PathValue("service"))]
	if s == nil {
		return nil, notFound("no service %q; name one as svc:web", r.PathValue("service"))
	}
	return f(s)
}

func (a *admin) listServices(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	out := []serviceView{}
	for _, s := range a.tn.sortedServicesLocked() {
		out = append(out, a.tn.serviceViewLocked(s))
	}
	return map[string]any{"services": out}, nil
}

func (a *admin) getService(r *http.Request) (any, error) {
	return a.withService(r, func(s *service) (any, error) { return a.tn.serviceViewLocked(s), nil })
}

// putService creates a service, or changes the fields in the body.
func (a *admin) putService(r *http.Request) (any, error) {
	var p struct {
		Ports       *[]string `json:"ports"`
		AutoApprove *bool     `json:"autoApprove"`
	}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	var ports []tailcfg.ProtoPortRange
	if p.Ports != nil {
		var err error
		if ports, err = tailcfg.ParseProtoPortRanges(*p.Ports); err != nil {
			return nil, badRequest("ports: %v; write tcp:443", err)
		}
	}
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	s, isNew, err := a.tn.serviceLocked(tailcfg.ServiceName(r.PathValue("service")))
	if err != nil {
		return nil, err
	}
	if p.Ports != nil {
		s.ports, s.anyPort = ports, false
	}
	if p.AutoApprove != nil {
		s.autoApprove = *p.AutoApprove
	}
	a.tn.serviceChangedLocked(s)
	v := a.tn.serviceViewLocked(s)
	if isNew {
		return created{v}, nil
	}
	return v, nil
}

func (a *admin) deleteService(r *http.Request) (any, error) {
	return a.withService(r, func(s *service) (any, error) {
		a.tn.dropServiceLocked(s)
		return nil, nil
	})
}

// putServiceHost approves or holds a node as host of a service.
func (a *admin) putServiceHost(r *http.Request) (any, error) {
	var p struct {
		Approved *bool `json:"approved"`
	}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	if p.Approved == nil {
		return nil, badRequest("approved is missing")
	}
	return a.withService(r, func(s *service) (any, error) {
		n := a.tn.findLocked(r.PathValue("node"))
		if n == nil {
			return nil, notFound("no node %q", r.PathValue("node"))
		}
		s.decideLocked(n, *p.Approved)
		a.tn.wakeLocked()
		return a.tn.serviceViewLocked(s), nil
	})
}
