package contract_test

import (
	"net/http"
	"testing"
)

// mapRules are the rules that look hosts and app ids up in the maps of contract 5.5.
func mapRules() []behaviour {
	return []behaviour{
		{
			name: "with --haproxy-map hosts and app ids are looked up, of one host or several",
			covers: []string{
				"template MAP_HTTP_FRONTEND_ACL", "template MAP_HTTP_FRONTEND_ACL_ONLY", "template MAP_HTTPS_FRONTEND_ACL",
				"template MAP_HTTP_FRONTEND_APPID_ACL", "D37",
			},
			apps: []app{
				{id: "/map/one", ports: []int{10110}, labels: host("Map-One.example")},
				{id: "/map/many", ports: []int{10111}, labels: host("map-a.example,map-b.example")},
			},
			show: func(t *testing.T, s scene) {
				plain := said("x-forwarded-host", "")
				for name, id := range map[string]string{
					"map-one.example": "/map/one", "MAP-one.example:80": "/map/one", "map-a.example": "/map/many", "map-b.example": "/map/many",
				} {
					expect(t, s.Web(name, "/"), by(id), plain)
				}
				expect(t, s.Secure("MAP-one.example", "/"), by("/map/one"), plain)
				expect(t, s.Secure("map-b.example", "/"), by("/map/many"), plain)
				expect(t, s.ByID("/Map/One", "/"), by("/map/one"), plain)
				expect(t, s.Web("map-c.example", "/"), code(http.StatusServiceUnavailable))
			},
		},
		{
			name:   "labels of the templates without maps have no effect on maps",
			covers: []string{"D37"},
			apps: []app{{id: "/map/without", ports: []int{10112}, labels: host(
				"map-without.example",
				"HTTP_FRONTEND_ACL", "  acl host_{cleanedUpHostname} hdr(host) -i {hostname}\n  http-request deny if host_{cleanedUpHostname}",
				"HTTPS_FRONTEND_ACL", "  http-request deny if {{ ssl_fc_sni -i {hostname} }}",
				"HTTP_FRONTEND_APPID_ACL", "  acl app_{cleanedUpAppId} hdr(x-marathon-app-id) -i {appId}\n  http-request deny if app_{cleanedUpAppId}",
			)}},
			show: func(t *testing.T, s scene) {
				expect(t, s.Web("map-without.example", "/"), by("/map/without"))
				expect(t, s.Secure("map-without.example", "/"), by("/map/without"))
				expect(t, s.ByID("/map/without", "/"), by("/map/without"))
			},
		},
	}
}
