package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// send sends a request to the HTTP API.
func (n *testNet) send(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	n.public.ServeHTTP(w, r)
	return w
}

// token gets a token for a client of the properties in body.
func (n *testNet) token(body string) string {
	n.t.Helper()
	c := n.call(201, "POST", "/oauth-clients", body)
	r := form("/oauth/token", url.Values{"grant_type": {"client_credentials"}})
	r.SetBasicAuth(c["id"].(string), c["secret"].(string))
	w := n.send(r)
	out := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != 200 {
		n.t.Fatalf("token: %d %s", w.Code, w.Body)
	}
	return out["access_token"].(string)
}

func form(path string, values url.Values) *http.Request {
	r := httptest.NewRequest("POST", "/api/v2"+path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// ask sends a request by a token, expects a status and returns the body.
func (n *testNet) ask(status int, token, method, path, body string) map[string]any {
	n.t.Helper()
	r := httptest.NewRequest(method, "/api/v2"+path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := n.send(r)
	out := map[string]any{}
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != status {
		n.t.Fatalf("%s %s %s = %d %s, want %d", method, path, body, w.Code, w.Body, status)
	}
	if status >= 400 && (out["message"] == "" || out["status"] != float64(status)) {
		n.t.Fatalf("%s %s: the error %v has another shape than Tailscale's", method, path, out)
	}
	return out
}

// newKeyBody asks for a key with these tags.
func newKeyBody(more, tags string) string {
	return fmt.Sprintf(`{"capabilities":{"devices":{"create":{"reusable":false,"ephemeral":false,"preauthorized":true,"tags":[%s]}}}%s}`, tags, more)
}

func TestTokens(t *testing.T) {
	n := newTestNet(t)
	n.call(201, "POST", "/oauth-clients", `{"id":"a b","secret":"s%"}`)
	grant := url.Values{"grant_type": {"client_credentials"}}
	inHeader := func(id, secret string) *http.Request {
		r := form("/oauth/token", grant)
		r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
		return r
	}
	inForm := func(more url.Values) *http.Request {
		values := url.Values{"grant_type": {"client_credentials"}, "client_id": {"a b"}, "client_secret": {"s%"}}
		for k, v := range more {
			values[k] = v
		}
		return form("/oauth/token", values)
	}
	expect := func(what string, r *http.Request, status int, kind string) {
		t.Helper()
		w := n.send(r)
		if w.Code != status || !strings.Contains(w.Body.String(), kind) {
			t.Errorf("%s: %d %s, want %d %s", what, w.Code, w.Body, status, kind)
		}
	}
	expect("header", inHeader("a b", "s%"), 200, "access_token")
	expect("wrong secret", inHeader("a b", "s"), 401, "invalid_client")
	expect("unknown client", inHeader("b", "s%"), 401, "invalid_client")
	expect("form", inForm(nil), 200, "access_token")
	expect("scope", inForm(url.Values{"scope": {"auth_keys services"}}), 200, "access_token")
	expect("unknown scope", inForm(url.Values{"scope": {"dns"}}), 400, "invalid_scope")
	expect("other grant", inForm(url.Values{"grant_type": {"password"}}), 400, "unsupported_grant_type")
	n.call(200, "PUT", "/api", `{"formOnly":true}`)
	expect("header when only a form is taken", inHeader("a b", "s%"), 401, "invalid_client")
	expect("form when only a form is taken", inForm(nil), 200, "access_token")
}

func TestTokenExchange(t *testing.T) {
	n := newTestNet(t)
	n.call(201, "POST", "/oauth-clients", `{"id":"w","subject":"system:serviceaccount:ts:operator","audience":"lab"}`)
	ask := func(id, sub, aud string, left time.Duration) int {
		payload, _ := json.Marshal(map[string]any{"sub": sub, "aud": []string{aud}, "exp": time.Now().Add(left).Unix()})
		jwt := "e30." + base64.RawURLEncoding.EncodeToString(payload) + ".c2ln"
		return n.send(form("/oauth/token-exchange", url.Values{"client_id": {id}, "jwt": {jwt}})).Code
	}
	const sub = "system:serviceaccount:ts:operator"
	for _, c := range []struct {
		what, id, sub, aud string
		left               time.Duration
		want               int
	}{
		{"good", "w", sub, "lab", time.Hour, 200},
		{"unknown client", "x", sub, "lab", time.Hour, 401},
		{"other subject", "w", sub + "2", "lab", time.Hour, 401},
		{"other audience", "w", sub, "other", time.Hour, 401},
		{"expired", "w", sub, "lab", -time.Hour, 401},
	} {
		if got := ask(c.id, c.sub, c.aud, c.left); got != c.want {
			t.Errorf("%s: %d, want %d", c.what, got, c.want)
		}
	}
	if w := n.send(form("/oauth/token-exchange", url.Values{"client_id": {"w"}, "jwt": {"none"}})); w.Code != 400 {
		t.Errorf("no token: %d %s", w.Code, w.Body)
	}
}

func TestTokensEnd(t *testing.T) {
	n := newTestNet(t)
	token := n.token(`{"id":"c"}`)
	n.ask(200, token, "GET", "/tailnet/-/keys", "")
	n.ask(401, "tskey-api-other", "GET", "/tailnet/-/keys", "")
	for _, lasting := range n.api.tokens {
		lasting.expires = time.Now()
	}
	n.ask(401, token, "GET", "/tailnet/-/keys", "")
	other := n.token(`{}`)
	n.call(204, "DELETE", "/oauth-clients/c", "")
	n.ask(200, other, "GET", "/tailnet/-/keys", "")
	n.call(204, "DELETE", "/oauth-tokens", "")
	n.ask(401, other, "GET", "/tailnet/-/keys", "")
	events, _, _ := n.events.since(0)
	for _, e := range events {
		if strings.Contains(e.Message, token) || strings.Contains(e.Message, "tskey-client") {
			t.Errorf("event %+v has a secret", e)
		}
	}
}

func TestScopes(t *testing.T) {
	n := newTestNet(t)
	token := n.token(`{"scopes":["devices:core"]}`)
	n.ask(200, token, "GET", "/tailnet/-/devices", "")
	n.ask(403, token, "GET", "/tailnet/-/keys", "")
	n.ask(403, token, "GET", "/tailnet/-/vip-services", "")
	n.ask(404, token, "GET", "/tailnet/example.com/devices", "")
}

func TestSettingsOfTheAPI(t *testing.T) {
	n := newTestNet(t)
	const settings, dns = "/tailnet/-/settings", "/tailnet/-/dns/preferences"
	token := n.token(`{"scopes":["feature_settings:read","dns:read"]}`)
	for _, on := range []bool{true, false} {
		n.call(200, "PUT", "/settings", fmt.Sprintf(`{"https":%v,"magicDNS":%v}`, on, on))
		if got := n.ask(200, token, "GET", settings, ""); got["httpsEnabled"] != on {
			t.Errorf("HTTPS %v is shown as %v", on, got)
		}
		if got := n.ask(200, token, "GET", dns, ""); got["magicDNS"] != on {
			t.Errorf("MagicDNS %v is shown as %v", on, got)
		}
	}
	operator := n.token(`{}`)
	n.ask(403, operator, "GET", settings, "")
	n.ask(403, operator, "GET", dns, "")
}

func TestKeysOfTheAPI(t *testing.T) {
	n := newTestNet(t)
	token := n.token(`{"tags":["tag:op"]}`)
	made := n.ask(200, token, "POST", "/tailnet/-/keys", newKeyBody(`,"expirySeconds":3600,"description":"svc a/b"`, `"tag:k8s"`))
	text, id := made["key"].(string), made["id"].(string)
	if !strings.Contains(text, "-"+id+"-") || made["description"] != "svc a/b" {
		t.Errorf("made %v", made)
	}
	if shown := n.ask(200, token, "GET", "/tailnet/-/keys/"+id, ""); shown["key"] != nil || shown["id"] != id {
		t.Errorf("shown %v", shown)
	}
	c := newMachine()
	n.mustJoin(c, "a", text)
	if got := n.call(200, "GET", "/nodes/a", ""); got["tags"].([]any)[0] != "tag:k8s" {
		t.Errorf("joined as %v", got)
	}
	if r := n.join(newMachine(), "b", text); !strings.Contains(r.Error, "already used") {
		t.Errorf("second use: %+v", r)
	}
	text = n.ask(200, token, "POST", "/tailnet/-/keys", newKeyBody("", `"tag:k8s"`))["key"].(string)
	n.call(200, "PATCH", "/keys/"+text, `{"expiresInSeconds":-1}`)
	if r := n.join(newMachine(), "b", text); !strings.Contains(r.Error, "expired") {
		t.Errorf("expired: %+v", r)
	}
	n.ask(200, token, "DELETE", "/tailnet/-/keys/"+id, "")
	n.ask(404, token, "DELETE", "/tailnet/-/keys/"+id, "")
	for _, body := range []string{
		`{}`, newKeyBody("", ""), newKeyBody("", `"k8s"`), newKeyBody(`,"expirySeconds":-1`, `"tag:k8s"`),
		newKeyBody(`,"expirySeconds":7776001`, `"tag:k8s"`), newKeyBody(`,"more":1`, `"tag:k8s"`),
		newKeyBody(`,"description":"`+strings.Repeat("x", 51)+`"`, `"tag:k8s"`),
	} {
		n.ask(400, token, "POST", "/tailnet/-/keys", body)
	}
}

func TestTagOwners(t *testing.T) {
	n := newTestNet(t)
	n.call(200, "PUT", "/api", `{"tagOwners":{"tag:k8s":["tag:op"],"tag:web":["tag:other"],"tag:op":[]}}`)
	n.call(200, "PUT", "/api", `{"tokenSeconds":60}`)
	token := n.token(`{"tags":["tag:op"]}`)
	for tags, status := range map[string]int{
		`"tag:k8s"`: 200, `"tag:op"`: 200, `"tag:web"`: 400, `"tag:k8s","tag:web"`: 400, `"tag:none"`: 400,
	} {
		got := n.ask(status, token, "POST", "/tailnet/-/keys", newKeyBody("", tags))
		if status == 400 && !strings.Contains(got["message"].(string), "are invalid or not permitted") {
			t.Errorf("tags %s: %v", tags, got)
		}
	}
	n.call(400, "PUT", "/api", `{"tagOwners":{"web":[]}}`)
	n.call(200, "PUT", "/api", `{"tagOwners":{}}`)
	n.ask(200, token, "POST", "/tailnet/-/keys", newKeyBody("", `"tag:none"`))
}

func TestDevicesOfTheAPI(t *testing.T) {
	n := newTestNet(t)
	token := n.token(`{}`)
	n.tagged("a", "b")
	devices := n.ask(200, token, "GET", "/tailnet/-/devices", "")["devices"].([]any)
	first := devices[0].(map[string]any)
	id := first["nodeId"].(string)
	if len(devices) != 2 || first["name"] != "a.lab.ts.net" || first["hostname"] != "a" || id != n.call(200, "GET", "/nodes/a", "")["stableId"] {
		t.Errorf("devices %v", devices)
	}
	n.ask(404, token, "GET", "/device/a", "")
	if got := n.ask(200, token, "GET", "/device/"+first["id"].(string), ""); got["nodeId"] != id {
		t.Errorf("by number %v", got)
	}
	n.ask(200, token, "DELETE", "/device/"+id, "")
	n.ask(404, token, "DELETE", "/device/"+id, "")
	n.call(404, "GET", "/nodes/a", "")
	n.call(200, "GET", "/nodes/b", "")
}

func TestServicesOfTheAPI(t *testing.T) {
	n := newTestNet(t)
	token := n.token(`{"tags":["tag:op"]}`)
	const path = "/tailnet/-/vip-services/svc:web"
	n.ask(404, token, "GET", path, "")
	put := func(status int, more string) map[string]any {
		t.Helper()
		return n.ask(status, token, "PUT", path, `{"name":"svc:web","comment":"c","annotations":{"o":"x"},"tags":["tag:k8s"]`+more+`}`)
	}
	made := put(200, `,"ports":["tcp:443","tcp:80"]`)
	if made["addrs"].([]any)[0] != "100.101.0.1" || made["annotations"].(map[string]any)["o"] != "x" || len(made["ports"].([]any)) != 2 {
		t.Errorf("made %v", made)
	}
	put(200, `,"ports":["tcp:443"],"addrs":["fd7a:115c:a1e0::2:1","100.101.0.1"]`)
	put(400, `,"ports":["tcp:443"],"addrs":["100.101.0.2"]`)
	put(400, `,"ports":["tcp:many"]`)
	put(400, `,"owner":"me"`)
	n.ask(400, token, "PUT", "/tailnet/-/vip-services/svc:db", `{"name":"svc:web"}`)
	n.tagged("node")
	n.ask(409, token, "PUT", "/tailnet/-/vip-services/svc:node", `{"name":"svc:node"}`)
	if got := put(200, `,"ports":["do-not-validate"]`); got["ports"].([]any)[0] != "do-not-validate" {
		t.Errorf("ports %v", got)
	}
	if got := n.ask(200, token, "GET", "/tailnet/-/vip-services", "")["vipServices"].([]any); len(got) != 1 {
		t.Errorf("listed %v", got)
	}
	if got := n.call(200, "GET", "/services/svc:web", ""); got["comment"] != "c" || got["autoApprove"] != false {
		t.Errorf("service %v", got)
	}
	n.ask(200, token, "DELETE", path, "")
	n.ask(404, token, "DELETE", path, "")
	n.call(200, "PUT", "/api", `{"autoApproveServices":true}`)
	put(200, "")
	if got := n.call(200, "GET", "/services/svc:web", ""); got["autoApprove"] != true {
		t.Errorf("service %v", got)
	}
}

func TestPlays(t *testing.T) {
	n := newTestNet(t)
	token := n.token(`{}`)
	n.tagged("a")
	status := func(method, path string) string {
		r := httptest.NewRequest(method, "/api/v2"+path, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := n.send(r)
		return fmt.Sprint(w.Code, " ", w.Header().Get("Content-Type"))
	}
	const absent = "404 text/plain; charset=utf-8"
	if got := status("GET", "/tailnet/-/routes"); got != absent {
		t.Errorf("unknown route: %s", got)
	}
	n.call(200, "PUT", "/api", `{"play":"headscale"}`)
	for path, want := range map[string]string{
		"/tailnet/-/vip-services": absent, "/tailnet/-/vip-services/svc:web": absent, "/oauth/token-exchange": absent,
		"/tailnet/-/devices": "200 application/json", "/device/nope": "404 application/json",
	} {
		if got := status("GET", path); got != want {
			t.Errorf("Headscale: %s is %s, want %s", path, got, want)
		}
	}
	got := n.ask(200, token, "GET", "/tailnet/-/devices", "")["devices"].([]any)[0].(map[string]any)
	if got["id"] != got["nodeId"] || got["name"] != "a" {
		t.Errorf("device of Headscale %v", got)
	}
	n.call(200, "PUT", "/api", `{"play":"none"}`)
	if got := status("GET", "/tailnet/-/devices"); got != absent {
		t.Errorf("without an API: %s", got)
	}
	n.call(400, "PUT", "/api", `{"play":"netbird"}`)
}

func TestFaults(t *testing.T) {
	n := newTestNet(t)
	token := n.token(`{}`)
	fault := func(body string) { t.Helper(); n.call(201, "POST", "/api/faults", body) }
	list := func() *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/api/v2/tailnet/-/keys", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return n.send(r)
	}
	fault(`{"method":"GET","path":"/tailnet/-/keys","status":429,"retryAfter":"7","times":2}`)
	n.ask(200, token, "GET", "/tailnet/-/devices", "")
	for range 2 {
		if w := list(); w.Code != 429 || w.Header().Get("Retry-After") != "7" {
			t.Errorf("limited: %d %v", w.Code, w.Header())
		}
	}
	n.ask(200, token, "GET", "/tailnet/-/keys", "")

	fault(`{"status":502,"body":"<html>"}`)
	if w := list(); w.Code != 502 || w.Body.String() != "<html>" {
		t.Errorf("of a proxy: %d %s", w.Code, w.Body)
	}
	fault(`{"seconds":0.001}`)
	n.ask(200, token, "GET", "/tailnet/-/keys", "")

	fault(`{"method":"POST","status":500,"done":true}`)
	n.ask(500, token, "POST", "/tailnet/-/keys", newKeyBody("", `"tag:k8s"`))
	if got := n.ask(200, token, "GET", "/tailnet/-/keys", "")["keys"].([]any); len(got) != 1 {
		t.Errorf("keys after a lost answer: %v", got)
	}

	fault(`{"status":503,"times":0}`)
	n.ask(503, token, "GET", "/tailnet/-/keys", "")
	n.ask(503, token, "GET", "/tailnet/-/keys", "")
	n.call(204, "DELETE", "/api/faults", "")
	n.ask(200, token, "GET", "/tailnet/-/keys", "")
	n.call(400, "POST", "/api/faults", `{"status":99}`)
	n.call(400, "POST", "/api/faults", `{"seconds":-1}`)

	events, _, _ := n.events.since(0)
	var calls []string
	for _, e := range events {
		if e.Kind == "api-call" && strings.Contains(e.Message, "/keys") {
			calls = append(calls, e.Message[len(e.Message)-3:])
		}
	}
	if got := strings.Join(calls, " "); got != "429 429 200 502 200 500 200 503 503 200" {
		t.Errorf("recorded calls %s", got)
	}
}

func TestCutConnections(t *testing.T) {
	n := newTestNet(t)
	token := n.token(`{}`)
	server := httptest.NewServer(n.public)
	defer server.Close()
	n.call(201, "POST", "/api/faults", `{"cut":true}`)
	for _, want := range []bool{false, true} {
		r, err := http.NewRequest("POST", server.URL+"/api/v2/oauth/token", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		res, err := http.DefaultClient.Do(r)
		if (err == nil) != want {
			t.Errorf("answered: %v, want %v", err, want)
		}
		if err == nil {
			res.Body.Close()
		}
	}
}
