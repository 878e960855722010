package main

import (
	"crypto/rand"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// authKey lets nodes join without a login.
type authKey struct {
	ID          string     `json:"id"` // how the HTTP API names it
	Key         string     `json:"key"`
	Description string     `json:"description"`
	Reusable    bool       `json:"reusable"`
	Ephemeral   bool       `json:"ephemeral"`
	Tags        []string   `json:"tags"`
	Approved    bool       `json:"approved"` // nodes need no approval
	Created     time.Time  `json:"created"`
	Expires     *time.Time `json:"expires,omitempty"`
	Uses        int        `json:"uses"`
}

var (
	keyPattern = regexp.MustCompile(`^tskey-auth-[A-Za-z0-9_-]{4,100}$`)
	tagPattern = regexp.MustCompile(`^tag:[a-z][a-z0-9-]*$`)
)

// newKeyText returns the text of a new key; the middle is its ID.
func newKeyText() string {
	return "tskey-auth-" + newID() + "-" + rand.Text()
}

// newID returns the ID of a new key, token or client.
func newID() string { return "k" + rand.Text()[:11] + "CNTRL" }

// addKeyLocked adds a key, whose ID is within its text if we made that.
func (t *tailnet) addKeyLocked(k *authKey) {
	if parts := strings.Split(k.Key, "-"); len(parts) == 4 {
		k.ID = parts[2]
	} else {
		k.ID = newID()
	}
	t.keys[k.Key] = k
	t.events.add("key-created", nil, fmt.Sprintf("%s: reusable %v, ephemeral %v, approved %v, tags %v",
		redact(k.Key), k.Reusable, k.Ephemeral, k.Approved, k.Tags))
}

// dropKeyLocked removes a key; the nodes that used it stay.
func (t *tailnet) dropKeyLocked(k *authKey) {
	delete(t.keys, k.Key)
	t.events.add("key-removed", nil, redact(k.Key))
}

// redact returns as much of a key as a log may show.
func redact(k string) string {
	if len(k) > 16 {
		return k[:16] + "…"
	}
	return "(short key)"
}

// useLocked looks up a key for a node that requests these tags. The refusals
// have the wording of the real server, since agents distinguish them by it.
func (t *tailnet) useLocked(text string, wantTags []string, now time.Time) (*authKey, error) {
	k := t.keys[text]
	switch {
	case k == nil:
		return nil, fmt.Errorf("invalid key: API key does not exist")
	case k.Expires != nil && !k.Expires.After(now):
		return nil, fmt.Errorf("invalid key: API key expired")
	case !k.Reusable && k.Uses > 0:
		return nil, fmt.Errorf("invalid key: API key already used")
	}
	if len(k.Tags) > 0 {
		var bad []string
		for _, tag := range wantTags {
			if !slices.Contains(k.Tags, tag) {
				bad = append(bad, tag)
			}
		}
		if len(bad) > 0 {
			return nil, fmt.Errorf("requested tags [%s] are invalid or not permitted", strings.Join(bad, " "))
		}
	}
	return k, nil
}

// checkTags names the first invalid tag.
func checkTags(tags []string) error {
	for _, tag := range tags {
		if !tagPattern.MatchString(tag) {
			return fmt.Errorf("tag %q is not of the form tag:name in lower case", tag)
		}
	}
	return nil
}
