package main

import "testing"

func TestAdminErrors(t *testing.T) {
	n := newTestNet(t)
	n.call(404, "GET", "/nothing", "")
	n.call(405, "PUT", "/nodes", "")
	n.call(400, "POST", "/nodes", `{"name":"web"}`)
	n.call(405, "DELETE", "/events", "")
	n.call(400, "POST", "/keys", `{"key":"short"}`)
	n.call(400, "POST", "/keys", `{"tags":["web"]}`)
	n.call(400, "POST", "/keys", `{"reuseable":true}`)
	n.call(400, "POST", "/keys", `{"expiresInSeconds":1e99}`)
	n.call(201, "POST", "/keys", `{"key":"tskey-auth-mine1"}`)
	n.call(409, "POST", "/keys", `{"key":"tskey-auth-mine1"}`)
	n.call(400, "PUT", "/settings", `{"families":"none"}`)
	n.call(400, "PUT", "/settings", `{"ephemeralTimeoutSeconds":-1}`)
	n.call(400, "POST", "/outage", `{"seconds":0}`)
	n.call(400, "POST", "/outage", `{"seconds":4000}`)
	n.call(400, "GET", "/events?since=x", "")
	n.call(400, "GET", "/events?wait=100", "")
	n.call(400, "PUT", "/dns/underlay", `{"mode":"broken"}`)
	n.call(400, "PUT", "/dns/underlay", `{"records":[{"name":"a.example","type":"A","value":"::1"}]}`)
	n.call(400, "PUT", "/dns/extra-records", `{"records":[{"name":"a.example","type":"AAAA","value":"1.2.3.4"}]}`)
	n.mustJoin(newMachine(), "a", "tskey-auth-mine1")
	n.call(400, "POST", "/nodes/a/c2n", `{"path":"echo"}`)
	n.call(409, "POST", "/nodes/a/c2n", `{"path":"/echo"}`)
}

func TestEventsAwait(t *testing.T) {
	n := newTestNet(t)
	last := n.call(200, "GET", "/events", "")["last"].(float64)
	if last != 0 {
		t.Fatalf("fresh log ends at %v", last)
	}
	go n.events.add("test", nil, "one")
	got := n.call(200, "GET", "/events?since=0&wait=10", "")["events"].([]any)
	if len(got) != 1 {
		t.Fatalf("awaited %v", got)
	}
	for range 2 * maxEvents {
		n.events.add("test", nil, "more")
	}
	kept, newest, _ := n.events.since(0)
	if len(kept) > maxEvents || newest != 2*maxEvents+1 || kept[len(kept)-1].ID != newest {
		t.Errorf("%d events kept, the last %d of %d", len(kept), kept[len(kept)-1].ID, newest)
	}
}
