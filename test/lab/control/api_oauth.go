package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// apiState is the state of the HTTP API besides that of the tailnet.
type apiState struct {
	settings apiSettings
	clients  map[string]*oauthClient
	tokens   map[string]*apiToken
	faults   []*fault
}

// play names the server whose API is served.
type play string

const (
	playTailscale play = "tailscale"
	playHeadscale play = "headscale"
	playNone      play = "none" // no API at all
)

// apiSettings are the rules of the HTTP API.
type apiSettings struct {
	Play play `json:"play"`
	// FormOnly refuses the credentials of OAuth clients in a header.
	FormOnly bool `json:"formOnly"`
	// TokenSeconds is for how long new tokens can be used.
	TokenSeconds float64 `json:"tokenSeconds"`
	// TagOwners are the tags of the policy, each with its owners; none allow all tags to everybody.
	TagOwners map[string][]string `json:"tagOwners"`
	// AutoApproveServices lets tagged nodes host the Services that the API makes.
	AutoApproveServices bool `json:"autoApproveServices"`
}

func newAPIState() apiState {
	return apiState{
		settings: apiSettings{Play: playTailscale, TokenSeconds: 3600, TagOwners: map[string][]string{}},
		clients:  map[string]*oauthClient{},
		tokens:   map[string]*apiToken{},
	}
}

// oauthClient may get tokens, by its secret or, if it has a subject, by a token
// of that service account.
type oauthClient struct {
	ID       string   `json:"id"`
	Secret   string   `json:"secret,omitempty"`
	Subject  string   `json:"subject,omitempty"`
	Audience string   `json:"audience,omitempty"`
	Tags     []string `json:"tags"`
	Scopes   []string `json:"scopes"`
}

// apiToken allows requests in the name of a client.
type apiToken struct {
	client  *oauthClient
	expires time.Time
}

func (c *oauthClient) may(scope string) bool { return slices.Contains(c.Scopes, scope) }

// serveToken gives a token to the client whose ID and secret are sent, in a
// header or in the form.
func (a *httpAPI) serveToken(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != "client_credentials" {
		oauthError(w, http.StatusBadRequest, "unsupported_grant_type", "grant_type must be client_credentials in a form")
		return
	}
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	id, secret, isBasic := r.BasicAuth()
	if isBasic {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	c := a.tn.api.clients[id]
	if c == nil || c.Secret == "" || c.Secret != secret || isBasic && a.tn.api.settings.FormOnly {
		oauthError(w, http.StatusUnauthorized, "invalid_client", "the client does not exist, or this is not its secret")
		return
	}
	for scope := range strings.FieldsSeq(r.PostForm.Get("scope")) {
		if !c.may(scope) {
			oauthError(w, http.StatusBadRequest, "invalid_scope", "the client lacks the scope %s", scope)
			return
		}
	}
	writeJSON(w, http.StatusOK, a.tn.grantLocked(c, time.Now()))
}

// serveExchange gives a token to a client for a token of its service account.
// Its signature is not checked.
func (a *httpAPI) serveExchange(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		writeAPIError(w, badRequest("the form cannot be read"))
		return
	}
	now := time.Now()
	claims, err := readClaims(r.PostForm.Get("jwt"))
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	c := a.tn.api.clients[r.PostForm.Get("client_id")]
	switch {
	case err != nil:
		writeAPIError(w, badRequest("%v", err))
	case c == nil || c.Subject == "":
		writeAPIError(w, &adminError{http.StatusUnauthorized, "no such federated identity"})
	case claims.Subject != c.Subject:
		writeAPIError(w, &adminError{http.StatusUnauthorized, fmt.Sprintf("subject %q is not trusted", claims.Subject)})
	case c.Audience != "" && !slices.Contains(claims.Audience, c.Audience):
		writeAPIError(w, &adminError{http.StatusUnauthorized, fmt.Sprintf("audience %q is not trusted", claims.Audience)})
	case claims.Expires <= now.Unix():
		writeAPIError(w, &adminError{http.StatusUnauthorized, "the token has expired"})
	default:
		writeJSON(w, http.StatusOK, a.tn.grantLocked(c, now))
	}
}

// claims are what a service account's token says.
type claims struct {
	Subject  string   `json:"sub"`
	Audience []string `json:"aud"`
	Expires  int64    `json:"exp"`
}

func readClaims(jwt string) (*claims, error) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return nil, fmt.Errorf("jwt is no JSON Web Token")
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fmt.Errorf("jwt is no JSON Web Token")
	}
	c := new(claims)
	if err := json.Unmarshal(body, c); err != nil {
		return nil, fmt.Errorf("jwt has other claims than a token of Kubernetes")
	}
	return c, nil
}

// grantLocked makes a token for a client.
func (t *tailnet) grantLocked(c *oauthClient, now time.Time) map[string]any {
	seconds := t.api.settings.TokenSeconds
	text := "tskey-api-" + newID() + "-" + rand.Text()
	t.api.tokens[text] = &apiToken{c, now.Add(time.Duration(seconds * float64(time.Second)))}
	t.events.add("token-granted", nil, "to "+c.ID)
	return map[string]any{"access_token": text, "token_type": "Bearer", "expires_in": int(seconds), "scope": strings.Join(c.Scopes, " ")}
}

// revokeLocked ends the tokens of a client, or of all.
func (t *tailnet) revokeLocked(c *oauthClient) {
	for text, token := range t.api.tokens {
		if c == nil || token.client == c {
			delete(t.api.tokens, text)
		}
	}
}

// oauthError answers as RFC 6749 has it.
func oauthError(w http.ResponseWriter, status int, kind, format string, a ...any) {
	writeJSON(w, status, map[string]string{"error": kind, "error_description": fmt.Sprintf(format, a...)})
}

// ownsLocked checks that a client may give these tags: each is one of its own,
// or owned by one of them.
func (t *tailnet) ownsLocked(c *oauthClient, tags []string) error {
	var bad []string
	for _, tag := range tags {
		owners, known := t.api.settings.TagOwners[tag]
		isAny := len(t.api.settings.TagOwners) == 0
		isOwned := slices.Contains(c.Tags, tag) || slices.ContainsFunc(owners, func(o string) bool { return slices.Contains(c.Tags, o) })
		if checkTags([]string{tag}) != nil || !isAny && !(known && isOwned) {
			bad = append(bad, tag)
		}
	}
	if len(bad) > 0 {
		return badRequest("requested tags [%s] are invalid or not permitted", strings.Join(bad, " "))
	}
	return nil
}
