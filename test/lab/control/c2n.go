package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"tailscale.com/tailcfg"
	"tailscale.com/util/rands"
)

// c2nAnswer is a node's answer to a request that control sent to it.
type c2nAnswer struct {
	Status int    `json:"status"`
	Body   string `json:"body"`
}

// errNotConnected says that a node has no map poll to send a request over.
var errNotConnected = errors.New("the node is not connected to control")

// ask sends a request to a node over its map poll and waits for the answer.
func (s *controlServer) ask(ctx context.Context, n *node, method, path, body string) (c2nAnswer, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://node"+path, strings.NewReader(body))
	if err != nil {
		return c2nAnswer{}, err
	}
	var payload bytes.Buffer
	if err := req.Write(&payload); err != nil {
		return c2nAnswer{}, err
	}
	token, ch := rands.HexString(20), make(chan c2nAnswer, 1)
	s.c2nMu.Lock()
	s.c2n[token] = ch
	s.c2nMu.Unlock()
	defer func() {
		s.c2nMu.Lock()
		delete(s.c2n, token)
		s.c2nMu.Unlock()
	}()
	ping := &tailcfg.PingRequest{URL: "https://control/c2n/" + token, URLIsNoise: true, Types: "c2n", Payload: payload.Bytes()}
	s.tn.mu.Lock()
	sent := n.poll != nil && n.poll.send(ping)
	s.tn.mu.Unlock()
	if !sent {
		return c2nAnswer{}, errNotConnected
	}
	select {
	case a := <-ch:
		return a, nil
	case <-ctx.Done():
		return c2nAnswer{}, fmt.Errorf("the node did not answer: %w", ctx.Err())
	}
}

// serveC2NAnswer takes a node's answer.
func (s *controlServer) serveC2NAnswer(w http.ResponseWriter, r *http.Request) {
	res, err := http.ReadResponse(bufio.NewReader(io.LimitReader(r.Body, maxRequest)), nil)
	if err != nil {
		http.Error(w, "unreadable answer: "+err.Error(), http.StatusBadRequest)
		return
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		http.Error(w, "unreadable answer: "+err.Error(), http.StatusBadRequest)
		return
	}
	s.c2nMu.Lock()
	ch := s.c2n[r.PathValue("token")]
	delete(s.c2n, r.PathValue("token"))
	s.c2nMu.Unlock()
	if ch == nil {
		http.Error(w, "nobody waits for this answer", http.StatusNotFound)
		return
	}
	ch <- c2nAnswer{Status: res.StatusCode, Body: string(body)}
	w.WriteHeader(http.StatusNoContent)
}
