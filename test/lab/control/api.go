package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// httpAPI is the part of Tailscale's HTTP API (/api/v2) that operators use, on
// the same port as control.
type httpAPI struct {
	tn  *tailnet
	mux *http.ServeMux
}

// apiHandler answers a request of a client that may make it.
type apiHandler func(r *http.Request, c *oauthClient) (any, error)

// The scopes of OAuth clients.
const (
	scopeKeys     = "auth_keys"
	scopeDevices  = "devices:core"
	scopeServices = "services"
	scopeSettings = "feature_settings:read"
	scopeDNS      = "dns:read"
)

var (
	allScopes = []string{scopeKeys, scopeDevices, scopeServices, scopeSettings, scopeDNS}
	// operatorScopes are those that operators are told to ask for.
	operatorScopes = []string{scopeKeys, scopeDevices, scopeServices}
)

func newHTTPAPI(tn *tailnet) *httpAPI {
	a := &httpAPI{tn: tn, mux: http.NewServeMux()}
	route := func(pattern, scope string, h apiHandler) {
		method, path, _ := strings.Cut(pattern, " ")
		a.mux.HandleFunc(method+" /api/v2"+path, func(w http.ResponseWriter, r *http.Request) {
			c, err := a.authorize(r, scope)
			if err != nil {
				writeAPIError(w, err)
				return
			}
			a.answer(w, r, c, h)
		})
	}
	a.mux.HandleFunc("POST /api/v2/oauth/token", a.serveToken)
	a.mux.HandleFunc("POST /api/v2/oauth/token-exchange", a.serveExchange)
	route("GET /tailnet/{tailnet}/keys", scopeKeys, a.listKeys)
	route("POST /tailnet/{tailnet}/keys", scopeKeys, a.createKey)
	route("GET /tailnet/{tailnet}/keys/{key}", scopeKeys, a.getKey)
	route("DELETE /tailnet/{tailnet}/keys/{key}", scopeKeys, a.deleteKey)
	route("GET /tailnet/{tailnet}/devices", scopeDevices, a.listDevices)
	route("GET /device/{device}", scopeDevices, a.getDevice)
	route("DELETE /device/{device}", scopeDevices, a.deleteDevice)
	route("GET /tailnet/{tailnet}/settings", scopeSettings, a.getSettings)
	route("GET /tailnet/{tailnet}/dns/preferences", scopeDNS, a.getDNSPreferences)
	route("GET /tailnet/{tailnet}/vip-services", scopeServices, a.listVIPs)
	route("GET /tailnet/{tailnet}/vip-services/{service}", scopeServices, a.getVIP)
	route("PUT /tailnet/{tailnet}/vip-services/{service}", scopeServices, a.putVIP)
	route("DELETE /tailnet/{tailnet}/vip-services/{service}", scopeServices, a.deleteVIP)
	return a
}

// ServeHTTP answers a request, unless a fault is due for it, and records it.
func (a *httpAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	said := &statusWriter{ResponseWriter: w}
	defer func() {
		a.tn.events.add("api-call", nil, fmt.Sprintf("%s %.200s %d", r.Method, strings.TrimPrefix(r.URL.Path, "/api/v2"), said.status))
	}()
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	if f := a.tn.takeFault(r); f != nil {
		f.serve(said, r, a.route)
		return
	}
	a.route(said, r)
}

// route answers a request. A route that this server does not have gets plain
// text, unlike a thing that does not exist.
func (a *httpAPI) route(w http.ResponseWriter, r *http.Request) {
	if !a.tn.apiHas(r.URL.Path) {
		http.NotFound(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// apiHas reports whether the server that is played has a path.
func (t *tailnet) apiHas(path string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch t.api.settings.Play {
	case playNone:
		return false
	case playHeadscale:
		return !strings.Contains(path, "/vip-services") && !strings.HasSuffix(path, "/token-exchange") &&
			!strings.HasSuffix(path, "/settings") && !strings.HasSuffix(path, "/dns/preferences")
	}
	return true
}

// answer runs a handler and writes its result: nothing is an empty object.
func (a *httpAPI) answer(w http.ResponseWriter, r *http.Request, c *oauthClient, h apiHandler) {
	if t := r.PathValue("tailnet"); t != "" && t != "-" {
		writeAPIError(w, notFound("tailnet %q not found; use -", t))
		return
	}
	switch v, err := h(r, c); {
	case err != nil:
		writeAPIError(w, err)
	case v == nil:
		writeJSON(w, http.StatusOK, struct{}{})
	default:
		writeJSON(w, http.StatusOK, v)
	}
}

// writeAPIError answers with an error in Tailscale's shape.
func writeAPIError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var ae *adminError
	if errors.As(err, &ae) {
		status = ae.status
	}
	writeJSON(w, status, map[string]any{"message": err.Error(), "data": []any{}, "status": status})
}

// authorize returns the client whose token a request has.
func (a *httpAPI) authorize(r *http.Request, scope string) (*oauthClient, error) {
	text, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	t := a.tn.api.tokens[text]
	if !ok || t == nil || !t.expires.After(time.Now()) {
		return nil, &adminError{http.StatusUnauthorized, "API token invalid"}
	}
	if !t.client.may(scope) {
		return nil, &adminError{http.StatusForbidden, "calling actor does not have enough permissions to perform this function"}
	}
	return t.client, nil
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
