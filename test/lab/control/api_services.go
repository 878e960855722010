package main

import (
	"maps"
	"net/http"
	"net/netip"
	"slices"

	"tailscale.com/tailcfg"
)

// anyPort stands for ports that are not checked.
const anyPort = "do-not-validate"

// vipView is a service as the HTTP API shows it.
type vipView struct {
	Name        string            `json:"name"`
	Addrs       []netip.Addr      `json:"addrs"`
	Comment     string            `json:"comment"`
	Annotations map[string]string `json:"annotations"`
	Ports       []string          `json:"ports"`
	Tags        []string          `json:"tags"`
}

func (s *service) vip() vipView {
	v := vipView{
		Name: s.name.String(), Addrs: s.addresses(), Comment: s.comment, Annotations: map[string]string{},
		Ports: portTexts(s.ports), Tags: list(s.tags),
	}
	maps.Copy(v.Annotations, s.annotations)
	if s.anyPort {
		v.Ports = []string{anyPort}
	}
	return v
}

func (a *httpAPI) listVIPs(*http.Request, *oauthClient) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	out := []vipView{}
	for _, s := range a.tn.sortedServicesLocked() {
		out = append(out, s.vip())
	}
	return map[string]any{"vipServices": out}, nil
}

// vipLocked finds the service that a request names.
func (a *httpAPI) vipLocked(r *http.Request) (*service, error) {
	if s := a.tn.services[tailcfg.ServiceName(r.PathValue("service"))]; s != nil {
		return s, nil
	}
	return nil, notFound("service not found")
}

func (a *httpAPI) getVIP(r *http.Request, _ *oauthClient) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	s, err := a.vipLocked(r)
	if err != nil {
		return nil, err
	}
	return s.vip(), nil
}

// hasAll reports whether these are the service's addresses.
func (s *service) hasAll(addrs []netip.Addr) bool {
	return len(addrs) == 2 && slices.Contains(addrs, s.v4) && slices.Contains(addrs, s.v6)
}

// putVIP makes a service, or replaces what it says. Its addresses stay.
func (a *httpAPI) putVIP(r *http.Request, c *oauthClient) (any, error) {
	var p vipView
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	name := tailcfg.ServiceName(r.PathValue("service"))
	if p.Name != name.String() {
		return nil, badRequest("name is %q in the body and %q in the path", p.Name, name)
	}
	isAny := slices.Equal(p.Ports, []string{anyPort})
	var ports []tailcfg.ProtoPortRange
	if !isAny {
		var err error
		if ports, err = tailcfg.ParseProtoPortRanges(p.Ports); err != nil {
			return nil, badRequest("ports: %v", err)
		}
	}
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	if err := a.tn.ownsLocked(c, p.Tags); err != nil {
		return nil, err
	}
	if s := a.tn.services[name]; len(p.Addrs) > 0 && (s == nil || !s.hasAll(p.Addrs)) {
		return nil, badRequest("addrs cannot be chosen; leave them out, or send those of the service")
	}
	s, isNew, err := a.tn.serviceLocked(name)
	if err != nil {
		return nil, err
	}
	s.comment, s.annotations, s.tags, s.ports, s.anyPort = p.Comment, p.Annotations, p.Tags, ports, isAny
	if isNew {
		s.autoApprove = a.tn.api.settings.AutoApproveServices
	}
	a.tn.serviceChangedLocked(s)
	return s.vip(), nil
}

func (a *httpAPI) deleteVIP(r *http.Request, _ *oauthClient) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	s, err := a.vipLocked(r)
	if err != nil {
		return nil, err
	}
	a.tn.dropServiceLocked(s)
	return nil, nil
}
