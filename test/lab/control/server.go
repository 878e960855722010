package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"golang.org/x/net/http2"
	"tailscale.com/control/controlhttp/controlhttpserver"
	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// controlServer speaks the control protocol: a few plain HTTP requests, and
// everything else as HTTP/2 within a Noise session that proves the machine key.
type controlServer struct {
	tn    *tailnet
	names *dnsStore
	base  string // URL at which nodes reach this server
	noise key.MachinePrivate
	// legacy is requested by nodes but no longer used by today's.
	legacy key.MachinePrivate
	outer  *http.ServeMux
	inner  http.Handler

	c2nMu sync.Mutex
	c2n   map[string]chan c2nAnswer
}

// machineKey is the context key of the machine key in inner requests.
type machineKey struct{}

func newControlServer(tn *tailnet, names *dnsStore, base string) *controlServer {
	s := &controlServer{
		tn: tn, names: names, base: base,
		noise: key.NewMachine(), legacy: key.NewMachine(),
		c2n: map[string]chan c2nAnswer{},
	}
	s.outer = http.NewServeMux()
	s.outer.HandleFunc("/generate_204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	s.outer.HandleFunc("GET /key", s.serveKey)
	s.outer.HandleFunc("/ts2021", s.serveNoise)
	s.outer.HandleFunc("GET /a/{id}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "This login waits for POST /login/complete on the admin socket.")
	})
	s.outer.Handle("/api/v2/", newHTTPAPI(tn))
	s.outer.HandleFunc("/", s.serveUnknown)

	inner := http.NewServeMux()
	machine := func(path string, h func(http.ResponseWriter, *http.Request, key.MachinePublic)) {
		inner.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			h(w, r, r.Context().Value(machineKey{}).(key.MachinePublic))
		})
	}
	machine("POST /machine/register", s.serveRegister)
	machine("POST /machine/map", s.serveMap)
	machine("POST /machine/set-dns", s.serveSetDNS)
	inner.HandleFunc("POST /machine/update-health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	inner.HandleFunc("POST /c2n/{token}", s.serveC2NAnswer)
	inner.HandleFunc("/", s.serveUnknown)
	s.inner = s.guard(inner)
	return s
}

func (s *controlServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.guard(s.outer).ServeHTTP(w, r)
}

// guard turns a panic in a request into an error of that request.
func (s *controlServer) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if p := recover(); p != nil && p != http.ErrAbortHandler {
				s.tn.events.add("request-failed", nil, fmt.Sprintf("%s %s: %v", r.Method, r.URL.Path, p))
				log.Printf("%s", debug.Stack())
				http.Error(w, "internal error", http.StatusInternalServerError)
			}
		}()
		h.ServeHTTP(w, r)
	})
}

// serveUnknown answers unknown requests.
func (s *controlServer) serveUnknown(w http.ResponseWriter, r *http.Request) {
	s.tn.events.add("request-unknown", nil, fmt.Sprintf("%s %.200s", r.Method, r.URL.Path))
	http.Error(w, "not supported by this control server", http.StatusNotFound)
}

func (s *controlServer) serveKey(w http.ResponseWriter, r *http.Request) {
	writeJSON(w, http.StatusOK, &tailcfg.OverTLSPublicKeyResponse{
		LegacyPublicKey: s.legacy.Public(), PublicKey: s.noise.Public(),
	})
}

// serveNoise runs the HTTP/2 session of one machine.
func (s *controlServer) serveNoise(w http.ResponseWriter, r *http.Request) {
	conn, err := controlhttpserver.AcceptHTTP(r.Context(), w, r, s.noise, nil)
	if err != nil {
		log.Printf("noise session with %s: %v", r.RemoteAddr, err)
		return
	}
	defer conn.Close()
	// The session outlives the upgrade request, but not its connection.
	ctx := context.WithValue(r.Context(), machineKey{}, conn.Peer())
	var h2 http2.Server
	h2.ServeConn(conn, &http2.ServeConnOpts{Context: ctx, BaseConfig: &http.Server{Handler: s.inner}})
}

// serveSetDNS takes the DNS records by which nodes prove their names to a
// certificate authority.
func (s *controlServer) serveSetDNS(w http.ResponseWriter, r *http.Request, m key.MachinePublic) {
	req := new(tailcfg.SetDNSRequest)
	if err := decodeRequest(r, req); err != nil {
		http.Error(w, "bad set-dns request: "+err.Error(), http.StatusBadRequest)
		return
	}
	if err := s.setChallenge(req, m); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	writeJSON(w, http.StatusOK, &tailcfg.SetDNSResponse{})
}

// setChallenge publishes a node's record, if it is for a name of that node.
func (s *controlServer) setChallenge(req *tailcfg.SetDNSRequest, m key.MachinePublic) (err error) {
	s.tn.mu.Lock()
	defer s.tn.mu.Unlock()
	n := s.tn.nodes[req.NodeKey]
	switch host, ok := strings.CutPrefix(req.Name, "_acme-challenge."); {
	case n == nil || n.machine != m:
		n, err = nil, errNodeNotFound
	case req.Type != "TXT" || req.Value == "":
		err = errors.New("only TXT records with a value can be set")
	case !ok || !slices.Contains(s.tn.certDomainsLocked(n), host):
		err = fmt.Errorf("%q is not the challenge of a name of this node", req.Name)
	}
	if err != nil {
		s.tn.events.add("set-dns-refused", n, err.Error())
		return err
	}
	s.names.addChallenge(req.Name, req.Value)
	s.tn.events.add("set-dns", n, "TXT record for "+req.Name)
	return nil
}

// writeJSON answers with v.
func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		log.Printf("write an answer: %v", err)
	}
}
