package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"
)

// fault is a failure of the HTTP API that is played.
type fault struct {
	// Method and Path restrict it to requests of that method whose path, after /api/v2, begins so.
	Method string `json:"method,omitempty"`
	Path   string `json:"path,omitempty"`
	// Times is how often it happens; 0: until it is removed.
	Times int `json:"times"`
	// Seconds is how long the answer takes.
	Seconds float64 `json:"seconds,omitempty"`
	// Status is that of the answer; 0: the answer is the usual one.
	Status int `json:"status,omitempty"`
	// RetryAfter is that header of the answer.
	RetryAfter string `json:"retryAfter,omitempty"`
	// Body is that of the answer, instead of an error in Tailscale's shape.
	Body *string `json:"body,omitempty"`
	// Cut closes the connection instead of an answer.
	Cut bool `json:"cut,omitempty"`
	// Done does what is asked before it answers so.
	Done bool `json:"done,omitempty"`

	happened int
}

// takeFault returns the first fault that is due for a request.
func (t *tailnet) takeFault(r *http.Request) *fault {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.IndexFunc(t.api.faults, func(f *fault) bool {
		path := strings.TrimPrefix(r.URL.Path, "/api/v2")
		return (f.Method == "" || f.Method == r.Method) && strings.HasPrefix(path, f.Path)
	})
	if i < 0 {
		return nil
	}
	f := t.api.faults[i]
	if f.happened++; f.happened == f.Times {
		t.api.faults = slices.Delete(t.api.faults, i, i+1)
	}
	return f
}

// serve answers a request as the fault says.
func (f *fault) serve(w http.ResponseWriter, r *http.Request, usual http.HandlerFunc) {
	select {
	case <-time.After(time.Duration(f.Seconds * float64(time.Second))):
	case <-r.Context().Done():
		return
	}
	if f.Status == 0 && !f.Cut {
		usual(w, r)
		return
	}
	if f.Done {
		usual(httptest.NewRecorder(), r)
	}
	if f.Cut {
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
		return
	}
	if f.RetryAfter != "" {
		w.Header().Set("Retry-After", f.RetryAfter)
	}
	if f.Body == nil {
		writeAPIError(w, &adminError{f.Status, "a fault that is played"})
		return
	}
	w.WriteHeader(f.Status)
	w.Write([]byte(*f.Body))
}
