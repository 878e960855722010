package main

import (
	"context"
	"log"
	"sync"
	"time"
)

// maxEvents bounds the memory of the event log; the oldest are dropped.
const maxEvents = 4096

// event is something notable that happened, for tests to wait for.
type event struct {
	ID      int64     `json:"id"`
	Time    time.Time `json:"time"`
	Kind    string    `json:"kind"`
	NodeID  int64     `json:"nodeId,omitempty"`
	Node    string    `json:"node,omitempty"`
	Message string    `json:"message"`
}

// eventLog keeps the last events in order and writes each to the log.
type eventLog struct {
	mu     sync.Mutex
	last   int64
	events []event
	more   chan struct{} // closed when an event is added
}

func newEventLog() *eventLog { return &eventLog{more: make(chan struct{})} }

// add records an event, of a node if n is not nil. The caller may hold the
// tailnet's lock.
func (l *eventLog) add(kind string, n *node, message string) {
	e := event{Time: time.Now().UTC(), Kind: kind, Message: message}
	who := ""
	if n != nil {
		e.NodeID, e.Node = int64(n.id), n.name
		who = " " + n.name
	}
	l.mu.Lock()
	l.last++
	e.ID = l.last
	if len(l.events) >= maxEvents {
		// Half of them, so that a full log is not copied for each event.
		l.events = append([]event(nil), l.events[maxEvents/2:]...)
	}
	l.events = append(l.events, e)
	close(l.more)
	l.more = make(chan struct{})
	l.mu.Unlock()
	log.Printf("%s%s: %s", kind, who, message)
}

// since returns the events after id, and the id of the newest one.
func (l *eventLog) since(id int64) ([]event, int64, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []event{}
	for _, e := range l.events {
		if e.ID > id {
			out = append(out, e)
		}
	}
	return out, l.last, l.more
}

// await returns the events after id, waiting for a first one until ctx ends.
func (l *eventLog) await(ctx context.Context, id int64) ([]event, int64) {
	for {
		events, last, more := l.since(id)
		if len(events) > 0 {
			return events, last
		}
		select {
		case <-more:
		case <-ctx.Done():
			return events, last
		}
	}
}
