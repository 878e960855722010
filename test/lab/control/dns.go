package main

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// Modes of the DNS server.
const (
	dnsNormal   = "normal"   // answers, and NXDOMAIN for unknown names
	dnsServFail = "servfail" // fails every question
	dnsSilent   = "silent"   // never answers
)

const (
	challengeLifetime = 10 * time.Minute
	// maxChallenges is how many values a name keeps. They must fit in a DNS answer
	// of 512 bytes: authorities may ask without EDNS and not repeat over TCP.
	maxChallenges = 4
)

// dnsRecord is a record of the underlay, as in the admin API.
type dnsRecord struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Value string `json:"value"`
	TTL   uint32 `json:"ttl"`
}

// dnsStore answers DNS from the underlay's records and from the challenges
// that nodes set.
type dnsStore struct {
	mu         sync.Mutex
	mode       string
	records    []dnsRecord
	byName     map[string][]dns.RR
	challenges map[string][]challenge
}

type challenge struct {
	rr      dns.RR
	expires time.Time
}

func newDNSStore() *dnsStore {
	return &dnsStore{mode: dnsNormal, records: []dnsRecord{}, challenges: map[string][]challenge{}}
}

// rr validates a record and converts it.
func (r dnsRecord) rr() (dns.RR, error) {
	if _, ok := dns.IsDomainName(r.Name); !ok || r.Name == "" {
		return nil, fmt.Errorf("record name %q is not a DNS name", r.Name)
	}
	h := dns.RR_Header{Name: dns.CanonicalName(r.Name), Class: dns.ClassINET, Ttl: r.TTL}
	addr, addrErr := netip.ParseAddr(r.Value)
	switch {
	case r.Type == "A" && addrErr == nil && addr.Is4():
		h.Rrtype = dns.TypeA
		return &dns.A{Hdr: h, A: net.IP(addr.AsSlice())}, nil
	case r.Type == "AAAA" && addrErr == nil && addr.Is6():
		h.Rrtype = dns.TypeAAAA
		return &dns.AAAA{Hdr: h, AAAA: net.IP(addr.AsSlice())}, nil
	case r.Type == "TXT" && len(r.Value) < 256:
		h.Rrtype = dns.TypeTXT
		return &dns.TXT{Hdr: h, Txt: []string{r.Value}}, nil
	case r.Type == "CNAME":
		if _, ok := dns.IsDomainName(r.Value); ok && r.Value != "" {
			h.Rrtype = dns.TypeCNAME
			return &dns.CNAME{Hdr: h, Target: dns.CanonicalName(r.Value)}, nil
		}
	case r.Type != "A" && r.Type != "AAAA" && r.Type != "TXT":
		return nil, fmt.Errorf("record %q has type %q; use A, AAAA, TXT or CNAME", r.Name, r.Type)
	}
	return nil, fmt.Errorf("record %q: %q is no value of type %s", r.Name, r.Value, r.Type)
}

// set replaces the underlay's records, or keeps the old ones if one is invalid.
func (s *dnsStore) set(records []dnsRecord) error {
	byName := map[string][]dns.RR{}
	for _, r := range records {
		rr, err := r.rr()
		if err != nil {
			return err
		}
		name := rr.Header().Name
		byName[name] = append(byName[name], rr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records, s.byName = records, byName
	return nil
}

func (s *dnsStore) setMode(mode string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = mode
}

// get returns the underlay's records and the mode.
func (s *dnsStore) get() ([]dnsRecord, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records), s.mode
}

// addChallenge adds a TXT record for a while; older ones of the name stay, as
// two orders may be under way.
func (s *dnsStore) addChallenge(name, value string) {
	name = dns.CanonicalName(name)
	h := dns.RR_Header{Name: name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}
	s.mu.Lock()
	defer s.mu.Unlock()
	cs := append(s.challenges[name], challenge{&dns.TXT{Hdr: h, Txt: []string{value}}, time.Now().Add(challengeLifetime)})
	s.challenges[name] = cs[max(0, len(cs)-maxChallenges):]
}

// lookupLocked returns all records of a name.
func (s *dnsStore) lookupLocked(name string, now time.Time) []dns.RR {
	out := slices.Clone(s.byName[name])
	for _, c := range slices.Backward(s.challenges[name]) { // the newest is the most likely
		if c.expires.After(now) {
			out = append(out, c.rr)
		}
	}
	return out
}

// answer fills in m for a question, following aliases within the store.
func (s *dnsStore) answer(m *dns.Msg, q dns.Question, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode == dnsServFail {
		m.Rcode = dns.RcodeServerFailure
		return
	}
	name := dns.CanonicalName(q.Name)
	for range 8 {
		all := s.lookupLocked(name, now)
		if len(all) == 0 {
			if len(m.Answer) == 0 && !s.hasBelowLocked(name) {
				m.Rcode = dns.RcodeNameError
			}
			return
		}
		target := ""
		for _, rr := range all {
			if c, ok := rr.(*dns.CNAME); ok && q.Qtype != dns.TypeCNAME {
				target = c.Target
				m.Answer = append(m.Answer, rr)
			} else if rr.Header().Rrtype == q.Qtype || q.Qtype == dns.TypeANY {
				m.Answer = append(m.Answer, rr)
			}
		}
		if target == "" {
			return
		}
		name = target
	}
}

// hasBelowLocked reports whether names exist under name, which makes it exist too.
func (s *dnsStore) hasBelowLocked(name string) bool {
	for other := range s.byName {
		if strings.HasSuffix(other, "."+name) {
			return true
		}
	}
	return false
}

// ServeDNS implements dns.Handler.
func (s *dnsStore) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	if _, mode := s.get(); mode == dnsSilent {
		return
	}
	m := new(dns.Msg)
	m.SetReply(r)
	m.Authoritative, m.RecursionAvailable, m.Compress = true, true, true
	if len(r.Question) != 1 || r.Opcode != dns.OpcodeQuery {
		m.Rcode = dns.RcodeNotImplemented
	} else {
		s.answer(m, r.Question[0], time.Now())
	}
	size := dns.MinMsgSize
	if opt := r.IsEdns0(); opt != nil {
		m.SetEdns0(1232, false)
		size = max(size, int(opt.UDPSize()))
	}
	if _, udp := w.RemoteAddr().(*net.UDPAddr); udp {
		m.Truncate(size)
	}
	w.WriteMsg(m)
}
