package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
	"tailscale.com/util/rands"
)

// keepAlive is how often an idle map stream sends a keep-alive; nodes give up
// on a stream after two minutes.
const keepAlive = 40 * time.Second

// poll is the map stream of a node.
type poll struct {
	wake  chan struct{}
	pings chan *tailcfg.PingRequest
	gone  chan struct{}
	once  sync.Once
}

func newPoll() *poll {
	return &poll{wake: make(chan struct{}, 1), pings: make(chan *tailcfg.PingRequest, 16), gone: make(chan struct{})}
}

// wakeUp makes the stream look at the tailnet; one pending wake-up is enough.
func (p *poll) wakeUp() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// send queues a ping for the stream, unless its queue is full.
func (p *poll) send(pr *tailcfg.PingRequest) bool {
	select {
	case p.pings <- pr:
		return true
	default:
		return false
	}
}

// end ends the stream.
func (p *poll) end() { p.once.Do(func() { close(p.gone) }) }

// serveMap takes updates of a node and sends it the tailnet's map: once, or in
// a stream for as long as the node stays connected.
func (s *controlServer) serveMap(w http.ResponseWriter, r *http.Request, m key.MachinePublic) {
	req := new(tailcfg.MapRequest)
	if err := decodeRequest(r, req); err != nil {
		http.Error(w, "bad map request: "+err.Error(), http.StatusBadRequest)
		return
	}
	out := &mapWriter{w: w, compress: req.Compress == "zstd"}
	if !req.Stream || req.ReadOnly {
		res, err := s.tn.mapOnce(r.Context(), req, m)
		if err != nil {
			s.refuseMap(w, req, err)
			return
		}
		out.send(res)
		s.learnServices(req.NodeKey)
		return
	}
	p, err := s.tn.startPoll(req, m)
	if err != nil {
		s.refuseMap(w, req, err)
		return
	}
	defer s.tn.stopPoll(req.NodeKey, p)
	s.learnServices(req.NodeKey)
	s.stream(r.Context(), out, req, p)
}

// refuseMap answers a map request as the real server does for a removed node.
func (s *controlServer) refuseMap(w http.ResponseWriter, req *tailcfg.MapRequest, err error) {
	host := ""
	if req.Hostinfo != nil {
		host = req.Hostinfo.Hostname
	}
	s.tn.events.add("poll-refused", nil, fmt.Sprintf("host %q, node key %s: %v", host, req.NodeKey.ShortString(), err))
	http.Error(w, fmt.Sprintf("%v\nREQ-%s", err, rands.HexString(16)), http.StatusNotFound)
}

var errNodeNotFound = errors.New("node not found")

// mapOnce handles a map request that is not a stream; such requests carry
// changes of the node.
func (t *tailnet) mapOnce(ctx context.Context, req *tailcfg.MapRequest, m key.MachinePublic) (*tailcfg.MapResponse, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[req.NodeKey]
	if n == nil || n.machine != m {
		return nil, errNodeNotFound
	}
	// A request that the node has cancelled may be older than one already handled.
	if !req.ReadOnly && ctx.Err() == nil {
		n.endpoints = req.Endpoints
		t.discoLocked(n, req.DiscoKey)
		n.cap = req.Version
		t.updateHostLocked(n, req.Hostinfo)
		t.wakeLocked()
	}
	return t.mapLocked(n, req, time.Now()), nil
}

// startPoll begins a node's stream and replaces an earlier one.
func (t *tailnet) startPoll(req *tailcfg.MapRequest, m key.MachinePublic) (*poll, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[req.NodeKey]
	if n == nil || n.machine != m {
		return nil, errNodeNotFound
	}
	if n.poll != nil {
		n.poll.end()
	}
	n.poll = newPoll()
	n.cap = req.Version
	if n.disco.IsZero() {
		t.discoLocked(n, req.DiscoKey)
	}
	t.events.add("poll-start", n, "map poll")
	t.wakeLocked()
	return n.poll, nil
}

// discoLocked updates a node's disco key: each start of tailscaled makes another.
func (t *tailnet) discoLocked(n *node, k key.DiscoPublic) {
	if n.disco == k {
		return
	}
	n.disco, n.started = k, time.Now()
	t.wakeAfter(arrival)
}

// wakeAfter wakes every map poll after some time.
func (t *tailnet) wakeAfter(d time.Duration) {
	time.AfterFunc(d+10*time.Millisecond, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.wakeLocked()
	})
}

// stopPoll records that a stream has ended, unless a newer one runs.
func (t *tailnet) stopPoll(k key.NodePublic, p *poll) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.nodes[k]
	if n == nil || n.poll != p {
		return
	}
	n.poll = nil
	n.lastSeen = time.Now()
	t.events.add("poll-stop", n, "map poll ended")
	t.wakeAfter(offlineGrace) // the node may count as offline then
}

// stream sends the node's view of the tailnet, and again whenever it changes.
func (s *controlServer) stream(ctx context.Context, out *mapWriter, req *tailcfg.MapRequest, p *poll) {
	var last []byte
	hadPeers := []tailcfg.NodeID{}
	idle := time.NewTicker(keepAlive)
	defer idle.Stop()
	for {
		s.tn.mu.Lock()
		n := s.tn.nodes[req.NodeKey]
		if n == nil {
			s.tn.mu.Unlock()
			return
		}
		res := s.tn.mapLocked(n, req, time.Now())
		s.tn.mu.Unlock()
		hadPeers = markRemoved(res, hadPeers)

		// Nodes redo work for each map, so an equal one is not sent.
		now, err := json.Marshal(res)
		if err != nil {
			s.tn.events.add("request-failed", nil, fmt.Sprintf("encode a map: %v", err))
			return
		}
		if !bytes.Equal(now, last) {
			if out.sendRaw(now) != nil {
				return
			}
			last = now
			if len(res.PeersRemoved) > 0 {
				last = nil // that part must not be taken for the current view
			}
		}
		if !s.waitForNews(ctx, out, p, idle) {
			return
		}
	}
}

// waitForNews waits until there may be something to send. It reports whether
// the stream goes on.
func (s *controlServer) waitForNews(ctx context.Context, out *mapWriter, p *poll, idle *time.Ticker) bool {
	for {
		var err error
		select {
		case <-ctx.Done():
			return false
		case <-p.gone:
			return false
		case <-p.wake:
			return true
		case ping := <-p.pings:
			err = out.send(&tailcfg.MapResponse{PingRequest: ping})
		case <-idle.C:
			err = out.send(&tailcfg.MapResponse{KeepAlive: true})
		}
		if err != nil {
			return false
		}
	}
}
