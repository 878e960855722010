package main

import "net/http"

func (a *httpAPI) getSettings(*http.Request, *oauthClient) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	return map[string]bool{"devicesApprovalOn": a.tn.settings.ApprovalRequired, "httpsEnabled": a.tn.settings.HTTPS}, nil
}

func (a *httpAPI) getDNSPreferences(*http.Request, *oauthClient) (any, error) {
	a.tn.mu.Lock()
	defer a.tn.mu.Unlock()
	return map[string]bool{"magicDNS": a.tn.settings.MagicDNS}, nil
}
