package contract_test

import (
	"net/http"
	"testing"
)

// mapTemplateStage shows the rules that look hosts and app ids up in the maps of
// contract 5.5.
func mapTemplateStage() stage {
	const show = "  http-request set-header X-Forwarded-Host '" + everything + "'"
	labels := behavioursOf([]override{
		{
			template: "MAP_HTTP_FRONTEND_ACL",
			app:      app{id: "/map/own", ports: []int{10100}, labels: host("own.example")},
			text:     []string{show, "  use_backend %[hdr(host),lower,map({haproxy_dir}/domain2backend.map)]"},
			values:   map[string]string{"haproxy_dir": folder},
			request:  web("own.example", "/"), seen: forwarded, wishes: []wish{by("/map/own")},
		},
		{
			template: "MAP_HTTP_FRONTEND_ACL_ONLY",
			app:      app{id: "/map/own-many", ports: []int{10101}, labels: host("own-a.example,own-b.example")},
			text:     []string{show, "  use_backend %[hdr(host),lower,map({haproxy_dir}/domain2backend.map)]"},
			values:   map[string]string{"haproxy_dir": folder},
			request:  web("own-b.example", "/"), seen: forwarded, wishes: []wish{by("/map/own-many")},
		},
		{
			template: "MAP_HTTPS_FRONTEND_ACL",
			app:      app{id: "/map/own-tls", ports: []int{10102}, labels: host("own-tls.example")},
			text:     []string{show, "  use_backend %[ssl_fc_sni,lower,map({haproxy_dir}/domain2backend.map)]"},
			values:   map[string]string{"hostname": "own-tls.example", "haproxy_dir": folder},
			request:  secure("own-tls.example", "/"), seen: forwarded, wishes: []wish{by("/map/own-tls")},
		},
		{
			template: "MAP_HTTP_FRONTEND_APPID_ACL",
			app:      app{id: "/map/own-id", ports: []int{10103}, labels: host("own-id.example")},
			text:     []string{show, "  use_backend %[hdr(x-marathon-app-id),lower,map({haproxy_dir}/app2backend.map)]"},
			values:   map[string]string{"haproxy_dir": folder},
			request:  byID("/map/own-id"), seen: forwarded, wishes: []wish{by("/map/own-id")},
		},
	})
	return stage{
		name: "template labels with maps", args: []string{"--haproxy-map"},
		behaviours: append(labels,
			behaviour{
				name: "with --haproxy-map hosts and app ids are looked up, one host or several, and a label of one service does not concern others",
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
			behaviour{
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
		),
	}
}
