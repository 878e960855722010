package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"tailscale.com/tailcfg"
	"tailscale.com/types/key"
)

// How often a node is asked for its services, and how long that may take.
const (
	learnTries    = 5
	learnPatience = 5 * time.Second
	learnPause    = 200 * time.Millisecond
)

// learnServices asks a node for its services, if it reports that they have
// changed.
func (s *controlServer) learnServices(k key.NodePublic) {
	s.tn.mu.Lock()
	defer s.tn.mu.Unlock()
	n := s.tn.nodes[k]
	if n == nil || n.poll == nil || n.learning || n.servicesKnown() {
		return
	}
	n.learning = true
	go s.learn(n)
}

// servicesKnown reports whether the node was asked since its services changed.
func (n *node) servicesKnown() bool {
	return n.hostinfo == nil || n.hostinfo.ServicesHash == n.servicesHash
}

// learn repeats the request until the answer matches the node's hash: they may
// change in between.
func (s *controlServer) learn(n *node) {
	var err error
	for range learnTries {
		var got *tailcfg.C2NVIPServicesResponse
		got, err = s.askServices(n)
		s.tn.mu.Lock()
		if err == nil {
			n.setServices(got)
			s.tn.wakeLocked()
		}
		if err == nil && n.servicesKnown() {
			n.learning = false
			s.tn.mu.Unlock()
			return
		}
		s.tn.mu.Unlock()
		time.Sleep(learnPause)
	}
	s.tn.mu.Lock()
	defer s.tn.mu.Unlock()
	n.learning = false // its next update is the next occasion
	s.tn.events.add("request-failed", n, fmt.Sprintf("ask which services it has: %v", err))
}

// askServices asks a node once.
func (s *controlServer) askServices(n *node) (*tailcfg.C2NVIPServicesResponse, error) {
	ctx, cancel := context.WithTimeout(context.Background(), learnPatience)
	defer cancel()
	answer, err := s.ask(ctx, n, http.MethodGet, "/vip-services", "")
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("%d %.200s", answer.Status, answer.Body)
	}
	out := new(tailcfg.C2NVIPServicesResponse)
	return out, json.Unmarshal([]byte(answer.Body), out)
}

// setServices records the services of a node.
func (n *node) setServices(got *tailcfg.C2NVIPServicesResponse) {
	n.servicesHash = got.ServicesHash
	n.services = make(map[tailcfg.ServiceName]*tailcfg.VIPService, len(got.VIPServices))
	for _, s := range got.VIPServices {
		n.services[s.Name] = s
	}
}
