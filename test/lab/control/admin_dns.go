package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"tailscale.com/tailcfg"
)

// extraRecord is a name that MagicDNS answers in addition to those of nodes.
type extraRecord struct {
	Name  string     `json:"name"`
	Type  string     `json:"type,omitempty"`
	Value netip.Addr `json:"value"`
}

func (a *admin) getExtraRecords(*http.Request) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	out := []extraRecord{}
	for _, r := range a.tn.extra {
		out = append(out, extraRecord{r.Name, r.Type, netip.MustParseAddr(r.Value)})
	}
	return map[string]any{"records": out}, nil
}

func (a *admin) putExtraRecords(r *http.Request) (any, error) {
	var p struct {
		Records []extraRecord `json:"records"`
	}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	var next []tailcfg.DNSRecord
	for i, rec := range p.Records {
		kind := "A"
		if rec.Value.Is6() {
			kind = "AAAA"
		}
		if rec.Name == "" || !rec.Value.IsValid() {
			return nil, badRequest("record %d lacks a name or an address as value", i)
		}
		if rec.Type != "" && rec.Type != kind {
			return nil, badRequest("record %d has type %q but a value of type %s", i, rec.Type, kind)
		}
		next = append(next, tailcfg.DNSRecord{Name: strings.TrimSuffix(rec.Name, "."), Type: kind, Value: rec.Value.String()})
	}
	a.tn.mu.Lock()
	a.tn.extra = next
	a.tn.events.add("dns-changed", nil, fmt.Sprintf("%d extra records", len(next)))
	a.tn.wakeLocked()
	a.tn.mu.Unlock()
	return a.getExtraRecords(r)
}

// underlay is the DNS outside the tailnet.
type underlay struct {
	Mode    string      `json:"mode"`
	Records []dnsRecord `json:"records"`
}

func (a *admin) getUnderlay(*http.Request) (any, error) {
	records, mode := a.names.get()
	return underlay{mode, records}, nil
}

// putUnderlay replaces the records, the mode, or both.
func (a *admin) putUnderlay(r *http.Request) (any, error) {
	var p struct {
		Mode    *string      `json:"mode"`
		Records *[]dnsRecord `json:"records"`
	}
	if err := readBody(r, &p); err != nil {
		return nil, err
	}
	if p.Mode != nil && !slices.Contains([]string{dnsNormal, dnsServFail, dnsSilent}, *p.Mode) {
		return nil, badRequest("mode is %q; use %s, %s or %s", *p.Mode, dnsNormal, dnsServFail, dnsSilent)
	}
	if p.Records != nil {
		if err := a.names.set(list(*p.Records)); err != nil {
			return nil, badRequest("%v", err)
		}
	}
	if p.Mode != nil {
		a.names.setMode(*p.Mode)
	}
	records, mode := a.names.get()
	a.tn.events.add("underlay-changed", nil, fmt.Sprintf("%d records, mode %s", len(records), mode))
	return underlay{mode, records}, nil
}
