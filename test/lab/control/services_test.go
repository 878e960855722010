package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// serve lets the node of c report a service, advertised or not.
func (n *testNet) serve(c *machine, name string, active bool, ports ...string) {
	n.t.Helper()
	ranges, err := tailcfg.ParseProtoPortRanges(ports)
	if err != nil {
		n.t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	services := []*tailcfg.VIPService{{Name: tailcfg.ServiceName(name), Ports: ranges, Active: active}}
	n.nodes[c.k].setServices(&tailcfg.C2NVIPServicesResponse{VIPServices: services})
	n.wakeLocked()
}

// state is the state of a node as host of a service.
func (n *testNet) state(service, node string) string {
	n.t.Helper()
	for _, h := range n.call(200, "GET", "/services/"+service, "")["hosts"].([]any) {
		if h := h.(map[string]any); h["node"] == node {
			return h["state"].(string)
		}
	}
	return ""
}

// leads returns the names of the peers by which the node of c reaches an address.
func (n *testNet) leads(c *machine, address string) (out []string) {
	for _, p := range n.netmap(c).Peers {
		for _, r := range p.AllowedIPs {
			if r.Addr().String() == address && slices.Contains(p.PrimaryRoutes, r) {
				out = append(out, p.Name)
			}
		}
	}
	return out
}

// tagged joins these nodes with a tag.
func (n *testNet) tagged(names ...string) (out []*machine) {
	k := n.key(`{"reusable":true,"tags":["tag:k8s"]}`)
	for _, name := range names {
		c := newMachine()
		n.mustJoin(c, name, k)
		out = append(out, c)
	}
	return out
}

func TestServiceSteps(t *testing.T) {
	n := newTestNet(t)
	host := n.tagged("host")[0]
	s := n.call(201, "PUT", "/services/svc:web", `{"ports":["tcp:443"]}`)
	if s["fqdn"] != "web.lab.ts.net" || s["addresses"].([]any)[0] != "100.101.0.1" || s["addresses"].([]any)[1] != "fd7a:115c:a1e0::2:1" {
		t.Errorf("new service %v", s)
	}
	steps := []struct {
		do   func()
		want string
	}{
		{func() {}, ""},
		{func() { n.serve(host, "svc:web", false, "tcp:80") }, "held"},
		{func() { n.call(200, "PUT", "/services/svc:web/hosts/host", `{"approved":true}`) }, "incomplete"},
		{func() { n.serve(host, "svc:web", false, "tcp:80", "tcp:440-450") }, "configured"},
		{func() { n.serve(host, "svc:web", true, "tcp:443") }, "serving"},
		{func() { n.nodes[host.k].lastSeen = time.Now().Add(-time.Minute); n.wakeLocked() }, "offline"},
		{func() {
			n.nodes[host.k].lastSeen = time.Now()
			n.discoLocked(n.nodes[host.k], key.NewDisco().Public())
			n.wakeLocked()
		}, "arriving"},
		{func() { n.nodes[host.k].started = time.Now().Add(-arrival); n.wakeLocked() }, "serving"},
		{func() { n.call(200, "PATCH", "/nodes/host", `{"tags":[]}`) }, "untagged"},
		{func() { n.call(200, "PATCH", "/nodes/host", `{"tags":["tag:k8s"]}`) }, "serving"},
		{func() { n.call(200, "PUT", "/services/svc:web", `{"ports":["udp:443"]}`) }, "incomplete"},
		{func() { n.call(200, "PUT", "/services/svc:web", `{"ports":[]}`) }, "serving"},
		{func() { n.call(200, "PUT", "/services/svc:web/hosts/host", `{"approved":false}`) }, "held"},
		{func() { n.serve(host, "svc:other", true, "tcp:443") }, "gone"},
	}
	var told []string
	for i, step := range steps {
		step.do()
		if got := n.state("svc:web", "host"); got != step.want {
			t.Fatalf("step %d: %q, want %q", i, got, step.want)
		}
		if step.want != "" {
			told = append(told, "svc:web is "+step.want)
		}
	}
	events, _, _ := n.events.since(0)
	var said []string
	for _, e := range events {
		if e.Kind == "service-host" && e.Node == "host" {
			said = append(said, e.Message)
		}
	}
	if !slices.Equal(said, told) {
		t.Errorf("events %q, want %q", said, told)
	}
}

func TestWhatAHostIsTold(t *testing.T) {
	n := newTestNet(t)
	host := n.tagged("host")[0]
	n.serve(host, "svc:web", false, "tcp:443")
	n.call(201, "PUT", "/services/svc:web", `{"ports":["tcp:443"]}`)
	if m := n.netmap(host); m.Node.CapMap[tailcfg.NodeAttrServiceHost] != nil || len(m.DNSConfig.CertDomains) != 1 {
		t.Errorf("a held host is told %v and %v", m.Node.CapMap, m.DNSConfig.CertDomains)
	}
	n.call(200, "PUT", "/services/svc:web", `{"autoApprove":true}`)
	m := n.netmap(host)
	if want := []string{"host.lab.ts.net", "web.lab.ts.net"}; !slices.Equal(m.DNSConfig.CertDomains, want) {
		t.Errorf("certificates for %v, want %v", m.DNSConfig.CertDomains, want)
	}
	mappings, err := tailcfg.UnmarshalNodeCapJSON[tailcfg.ServiceIPMappings](m.Node.CapMap, tailcfg.NodeAttrServiceHost)
	if err != nil || len(mappings) != 1 || len(mappings[0]["svc:web"]) != 2 {
		t.Errorf("service-host is %v, %v", mappings, err)
	}
	var names []string
	for _, r := range m.DNSConfig.ExtraRecords {
		names = append(names, strings.Join([]string{r.Name, r.Type, r.Value}, " "))
	}
	if want := []string{"web.lab.ts.net A 100.101.0.1", "web.lab.ts.net AAAA fd7a:115c:a1e0::2:1"}; !slices.Equal(names, want) {
		t.Errorf("records %q, want %q", names, want)
	}
	details, err := tailcfg.UnmarshalNodeCapJSON[tailcfg.ServiceDetails](m.Node.CapMap, "services/web")
	if err != nil || len(details) != 1 || details[0].Name != "svc:web" || details[0].Ports[0].String() != "tcp:443" {
		t.Errorf("visible services %v, %v", details, err)
	}

	n.call(200, "PUT", "/settings", `{"https":false}`)
	m = n.netmap(host)
	if _, https := m.Node.CapMap[tailcfg.CapabilityHTTPS]; https || len(m.DNSConfig.CertDomains) > 0 {
		t.Errorf("without HTTPS a host is told %v and %v", m.Node.CapMap, m.DNSConfig.CertDomains)
	}
	n.call(204, "DELETE", "/services/svc:web", "")
	if m := n.netmap(host); m.Node.CapMap[tailcfg.NodeAttrServiceHost] != nil || len(m.DNSConfig.ExtraRecords) > 0 {
		t.Errorf("a service that is gone is told of: %v", m)
	}
}

func TestClientsAreSpread(t *testing.T) {
	n := newTestNet(t)
	hosts := n.tagged("a", "b", "c")
	clients := n.tagged("u", "v", "w", "x", "y", "z")
	n.call(201, "PUT", "/services/svc:web", `{"autoApprove":true}`)
	for _, h := range hosts {
		n.serve(h, "svc:web", true)
	}
	spread := func(want ...string) {
		t.Helper()
		var got []string
		for _, c := range clients {
			for _, address := range []string{"100.101.0.1", "fd7a:115c:a1e0::2:1"} {
				host := strings.Join(n.leads(c, address), "+")
				got = append(got, strings.ReplaceAll(host, ".lab.ts.net.", ""))
			}
		}
		var twice []string
		for _, w := range want {
			for _, host := range w {
				twice = append(twice, string(host), string(host))
			}
		}
		if !slices.Equal(got, twice) {
			t.Errorf("clients are sent to %v, want %v", got, twice)
		}
	}
	spread("abcabc")
	if got := n.leads(hosts[0], "100.101.0.1"); got != nil {
		t.Errorf("a host is sent to %v", got)
	}
	n.serve(hosts[1], "svc:web", false) // only its clients move
	spread("aacacc")
	if got := n.leads(hosts[1], "100.101.0.1"); len(got) != 1 {
		t.Errorf("a host that does not serve is sent to %v", got)
	}
	away := time.Now().Add(-time.Minute)
	n.nodes[hosts[2].k].lastSeen = away
	spread("aaaaaa")
	n.nodes[hosts[0].k].lastSeen = away // nobody serves: all stay, or move to where they would be served
	spread("aacacc")
	n.nodes[hosts[0].k].lastSeen = time.Now()
	n.call(200, "PUT", "/services/svc:web/hosts/c", `{"approved":false}`)
	spread("aaaaaa")
	n.call(204, "DELETE", "/nodes/a", "")
	n.call(200, "PUT", "/services/svc:web/hosts/b", `{"approved":false}`)
	for _, c := range clients {
		if got := n.leads(c, "100.101.0.1"); got != nil {
			t.Errorf("without a host, clients are sent to %v", got)
		}
	}
}

func TestServiceRefusals(t *testing.T) {
	n := newTestNet(t)
	n.tagged("web")
	n.call(409, "PUT", "/services/svc:web", `{}`)
	n.call(400, "PUT", "/services/web", `{}`)
	n.call(400, "PUT", "/services/svc:api", `{"ports":["tcp:many"]}`)
	n.call(404, "GET", "/services/svc:api", "")
	n.call(201, "PUT", "/services/svc:api", `{}`)
	n.call(404, "PUT", "/services/svc:api/hosts/nobody", `{"approved":true}`)
	n.call(400, "PUT", "/services/svc:api/hosts/web", `{}`)
	n.tagged("api")
	n.call(200, "GET", "/nodes/api-1", "")
	n.call(200, "PATCH", "/nodes/web", `{"addresses":["100.101.0.2"]}`)
	if got, _ := json.Marshal(n.call(201, "PUT", "/services/svc:db", `{}`)["addresses"]); string(got) != `["100.101.0.3","fd7a:115c:a1e0::2:3"]` {
		t.Errorf("addresses %s", got)
	}
}
