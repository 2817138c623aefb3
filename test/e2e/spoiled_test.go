package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"

	"mlb/test/marathonsim"
)

// spoil returns the address of a master in front of a cluster that passes everything
// on and adds an app of an impossible shape to the list of apps.
func spoil(t *testing.T, c *marathonsim.Cluster) string {
	t.Helper()
	master, err := url.Parse(c.Masters()[c.Leader()])
	must(t, err)
	pass := httputil.NewSingleHostReverseProxy(master)
	pass.FlushInterval = -1
	pass.Transport = &http.Transport{DisableKeepAlives: true}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/apps" {
			pass.ServeHTTP(w, r)
			return
		}
		status, body := c.Do(r.Method, r.URL.RequestURI(), "")
		var list struct {
			Apps []json.RawMessage `json:"apps"`
		}
		if err := json.Unmarshal(body, &list); err != nil || status != http.StatusOK {
			http.Error(w, "no list", http.StatusBadGateway)
			return
		}
		odd := `{"id":"/spoiled","labels":{"HAPROXY_GROUP":"external"},"instances":1,"portDefinitions":"none","tasks":{"a":1}}`
		list.Apps = append(list.Apps, json.RawMessage(odd))
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list) // the client may have gone
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}
