package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"
)

func TestDNSAnswers(t *testing.T) {
	s := newDNSStore()
	if err := s.set([]dnsRecord{
		{Name: "db.Example.org", Type: "A", Value: "192.0.2.7", TTL: 5},
		{Name: "www.example.org.", Type: "CNAME", Value: "db.example.org"},
		{Name: "loop.example.org", Type: "CNAME", Value: "loop.example.org"},
	}); err != nil {
		t.Fatal(err)
	}
	for i := range 9 {
		s.addChallenge("_acme-challenge.a.lab.ts.net", strings.Repeat(string(rune('a'+i)), 43))
	}
	ask := func(name string, qtype uint16) *dns.Msg {
		m := new(dns.Msg)
		m.SetQuestion(name, qtype)
		s.answer(m, m.Question[0], time.Now())
		return m
	}
	for _, c := range []struct {
		name           string
		qtype          uint16
		rcode, answers int
	}{
		{"DB.example.org.", dns.TypeA, dns.RcodeSuccess, 1},
		{"db.example.org.", dns.TypeAAAA, dns.RcodeSuccess, 0},
		{"www.example.org.", dns.TypeA, dns.RcodeSuccess, 2},
		{"example.org.", dns.TypeA, dns.RcodeSuccess, 0},
		{"other.org.", dns.TypeA, dns.RcodeNameError, 0},
		{"_acme-challenge.a.lab.ts.net.", dns.TypeTXT, dns.RcodeSuccess, maxChallenges},
	} {
		if m := ask(c.name, c.qtype); m.Rcode != c.rcode || len(m.Answer) != c.answers {
			t.Errorf("%s: rcode %d and answers %v", c.name, m.Rcode, m.Answer)
		}
	}
	ask("loop.example.org.", dns.TypeA) // ends
	m := ask("_acme-challenge.a.lab.ts.net.", dns.TypeTXT)
	if got := m.Answer[0].(*dns.TXT).Txt[0][0]; got != 'i' || m.Len() > dns.MinMsgSize {
		t.Errorf("first challenge is %c in %d bytes", got, m.Len())
	}
	s.setMode(dnsServFail)
	if m := ask("db.example.org.", dns.TypeA); m.Rcode != dns.RcodeServerFailure {
		t.Errorf("failing mode: rcode %d", m.Rcode)
	}
}

func TestGate(t *testing.T) {
	g, err := openGate(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(g, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hi") }))
	addr := g.Addr().String()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	get := func() error {
		r, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + addr)
		if err == nil {
			r.Body.Close()
		}
		return err
	}
	if err := get(); err != nil {
		t.Fatal(err)
	}
	out := &outage{events: newEventLog(), control: []*gate{g}}
	out.begin(150*time.Millisecond, false)
	if get() == nil {
		t.Error("a shut gate answers")
	}
	c.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("an old connection was not cut")
	}
	if !out.state().Active {
		t.Error("the outage is not told")
	}
	for deadline := time.Now().Add(5 * time.Second); out.state().Active; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the outage does not end")
		}
	}
	if err := get(); err != nil {
		t.Errorf("after the outage: %v", err)
	}
	out.begin(time.Hour, false)
	out.end()
	if err := get(); err != nil {
		t.Errorf("after an outage that was ended: %v", err)
	}
	out.shutdown()
	if _, err := g.Accept(); err == nil {
		t.Error("a closed gate accepts")
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"--listen", "10.99.0.1,fd99::1", "--listen=10.99.0.2", "--admin=/a", "--domain", "X.ts.net."}, io.Discard)
	if err != nil || len(o.listen) != 3 || o.domain != "x.ts.net" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{
		{}, {"--listen", "10.0.0.1"}, {"--admin", "/a"}, {"--listen", "host", "--admin", "/a"},
		{"--listen", "0.0.0.0", "--admin", "/a"}, {"--listen", "10.0.0.1", "--admin", "/a", "more"},
		{"--listen", "10.0.0.1", "--admin", "/a", "--domain", "local"},
	} {
		if _, err := parseOptions(args, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

func TestAdminSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := listenAdmin(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listenAdmin(path); err == nil {
		t.Error("a socket in use was taken over")
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	ln, err = listenAdmin(path) // the stale file still exists
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}

func TestUnknownRequest(t *testing.T) {
	n := newTestNet(t)
	srv := newControlServer(n.tailnet, newDNSStore(), "http://192.0.2.1:8080")
	w := httptest.NewRecorder()
	srv.ServeHTTP(w, httptest.NewRequest("POST", "/machine/feature/query", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("status %d", w.Code)
	}
	w = httptest.NewRecorder()
	srv.guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Code != http.StatusInternalServerError {
		t.Errorf("a panic gives status %d", w.Code)
	}
}
