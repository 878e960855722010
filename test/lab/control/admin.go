package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// admin is the API by which tests control the tailnet.
type admin struct {
	tn     *tailnet
	names  *dnsStore
	server *controlServer
	outage *outage
}

// adminError is an error with the HTTP status for its kind.
type adminError struct {
	status int
	msg    string
}

func (e *adminError) Error() string { return e.msg }

func badRequest(format string, a ...any) error {
	return &adminError{http.StatusBadRequest, fmt.Sprintf(format, a...)}
}

func notFound(format string, a ...any) error {
	return &adminError{http.StatusNotFound, fmt.Sprintf(format, a...)}
}

func conflict(format string, a ...any) error {
	return &adminError{http.StatusConflict, fmt.Sprintf(format, a...)}
}

// created is an answer with status 201.
type created struct{ v any }

// newAdmin returns the handler of the admin API.
func newAdmin(tn *tailnet, names *dnsStore, server *controlServer, out *outage) http.Handler {
	a := &admin{tn: tn, names: names, server: server, outage: out}
	mux := http.NewServeMux()
	methods := map[string][]string{} // methods by path
	route := func(method, path string, h func(*http.Request) (any, error)) {
		methods[path] = append(methods[path], method)
		mux.HandleFunc(method+" "+path, func(w http.ResponseWriter, r *http.Request) { answer(w, r, h) })
	}
	route("GET", "/health", a.getHealth)
	route("GET", "/nodes", a.listNodes)
	route("POST", "/nodes", a.createNode)
	route("GET", "/nodes/{node}", a.getNode)
	route("PATCH", "/nodes/{node}", a.patchNode)
	route("DELETE", "/nodes/{node}", a.deleteNode)
	route("POST", "/nodes/{node}/c2n", a.askNode)
	route("GET", "/keys", a.listKeys)
	route("POST", "/keys", a.createKey)
	route("GET", "/keys/{key}", a.getKey)
	route("PATCH", "/keys/{key}", a.patchKey)
	route("DELETE", "/keys/{key}", a.deleteKey)
	route("GET", "/oauth-clients", a.listClients)
	route("POST", "/oauth-clients", a.createClient)
	route("DELETE", "/oauth-clients/{client}", a.deleteClient)
	route("DELETE", "/oauth-tokens", a.deleteTokens)
	route("GET", "/api", a.getAPI)
	route("PUT", "/api", a.putAPI)
	route("GET", "/api/faults", a.listFaults)
	route("POST", "/api/faults", a.createFault)
	route("DELETE", "/api/faults", a.deleteFaults)
	route("GET", "/logins", a.listLogins)
	route("POST", "/login/complete", a.completeLogin)
	route("GET", "/settings", a.getSettings)
	route("PUT", "/settings", a.putSettings)
	route("GET", "/grants", a.getGrants)
	route("PUT", "/grants", a.putGrants)
	route("GET", "/services", a.listServices)
	route("GET", "/services/{service}", a.getService)
	route("PUT", "/services/{service}", a.putService)
	route("DELETE", "/services/{service}", a.deleteService)
	route("PUT", "/services/{service}/hosts/{node}", a.putServiceHost)
	route("GET", "/dns/extra-records", a.getExtraRecords)
	route("PUT", "/dns/extra-records", a.putExtraRecords)
	route("GET", "/dns/underlay", a.getUnderlay)
	route("PUT", "/dns/underlay", a.putUnderlay)
	route("GET", "/outage", a.getOutage)
	route("POST", "/outage", a.startOutage)
	route("DELETE", "/outage", a.endOutage)
	route("GET", "/events", a.getEvents)
	for path, ms := range methods {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(ms, ", "))
			writeError(w, &adminError{http.StatusMethodNotAllowed, r.Method + " is not one of " + strings.Join(ms, ", ")})
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { writeError(w, notFound("no such path: %s", r.URL.Path)) })
	return mux
}

// answer runs a handler and writes its result: nil is 204.
func answer(w http.ResponseWriter, r *http.Request, h func(*http.Request) (any, error)) {
	v, err := h(r)
	switch c, isNew := v.(created); {
	case err != nil:
		writeError(w, err)
	case isNew:
		writeJSON(w, http.StatusCreated, c.v)
	case v == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		writeJSON(w, http.StatusOK, v)
	}
}

func writeError(w http.ResponseWriter, err error) {
	status := http.StatusInternalServerError
	var ae *adminError
	if errors.As(err, &ae) {
		status = ae.status
	}
	writeJSON(w, status, map[string]string{"error": err.Error()})
}

// readBody reads a JSON object into v; unknown fields are errors.
func readBody(r *http.Request, v any) error {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxRequest))
	if err != nil {
		return badRequest("read the body: %v", err)
	}
	if len(strings.TrimSpace(string(body))) == 0 {
		body = []byte("{}") // every field is optional
	}
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return badRequest("body: %v", strings.TrimPrefix(err.Error(), "json: "))
	}
	if d.More() {
		return badRequest("body: more than one JSON value")
	}
	return nil
}
