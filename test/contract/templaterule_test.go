package contract_test

import "net/http"

// plainRuleLabels replace the rules for hosts on port 80, and for app ids.
func plainRuleLabels() []behaviour {
	const show = "  http-request set-header X-Forwarded-Host '" + everything + "' if host_{cleanedUpHostname}"
	const showForOne = "  http-request set-header X-Forwarded-Host '" + everything + "' if {{ hdr(host) -i {hostname} }}"
	return behavioursOf([]override{
		{
			template: "HTTP_FRONTEND_ACL",
			app:      app{id: "/plain/one", ports: []int{10100}, labels: host("one.example")},
			text:     []string{"  acl host_{cleanedUpHostname} hdr(host) -i {hostname}", show, "  use_backend {backend} if host_{cleanedUpHostname}"},
			values: map[string]string{
				"cleanedUpHostname": "one_example_plain_one_10100", "hostname": "one.example", "backend": "plain_one_10100", "appId": "/plain/one",
			},
			request: web("one.example", "/"), seen: forwarded,
		},
		{
			template: "HTTP_FRONTEND_ACL_WITH_AUTH",
			app:      app{id: "/plain/auth", ports: []int{10101}, labels: host("auth.example", "AUTH", office)},
			text: []string{
				"  acl host_{cleanedUpHostname} hdr(host) -i {hostname}", "  acl auth_{cleanedUpHostname} http_auth(user_{backend})",
				"  http-request auth realm {realm} if host_{cleanedUpHostname} !auth_{cleanedUpHostname}",
				show, "  use_backend {backend} if host_{cleanedUpHostname}",
			},
			values: map[string]string{
				"cleanedUpHostname": "auth_example_plain_auth_10101", "hostname": "auth.example", "appId": "/plain/auth", "realm": "Office",
				"backend": "plain_auth_10101",
			},
			request: asBob(web("auth.example", "/")), seen: forwarded,
		},
		{
			template: "HTTP_FRONTEND_ACL_WITH_PATH",
			app:      app{id: "/plain/path", ports: []int{10102}, labels: host("path.example", "PATH", "/in")},
			text: []string{
				"  acl host_{cleanedUpHostname} hdr(host) -i {hostname}", "  acl path_{backend} path_beg -i {path}", show,
				"  use_backend {backend} if host_{cleanedUpHostname} path_{backend}",
			},
			values: map[string]string{
				"cleanedUpHostname": "path_example_plain_path_10102", "hostname": "path.example", "path": "/in", "appId": "/plain/path",
				"backend": "plain_path_10102",
			},
			request: web("path.example", "/IN"), seen: forwarded,
		},
		{
			template: "HTTP_FRONTEND_ACL_WITH_AUTH_AND_PATH",
			app:      app{id: "/plain/both", ports: []int{10103}, labels: host("both.example", "PATH", "/in", "AUTH", office)},
			text: []string{
				"  acl host_{cleanedUpHostname} hdr(host) -i {hostname}", "  acl path_{backend} path_beg -i {path}",
				"  acl auth_{cleanedUpHostname} http_auth(user_{backend})",
				"  http-request auth realm {realm} if host_{cleanedUpHostname} path_{backend} !auth_{cleanedUpHostname}",
				show, "  use_backend {backend} if host_{cleanedUpHostname} path_{backend}",
			},
			values: map[string]string{
				"cleanedUpHostname": "both_example_plain_both_10103", "hostname": "both.example", "path": "/in", "appId": "/plain/both",
				"realm": "Office", "backend": "plain_both_10103",
			},
			request: asBob(web("both.example", "/IN")), seen: forwarded,
		},
		{
			template: "HTTP_FRONTEND_ACL_ONLY",
			app:      app{id: "/plain/only", ports: []int{10104}, labels: host("only-a.example,only-b.example")},
			text:     []string{"  acl host_{cleanedUpHostname} hdr(host) -i {hostname}", showForOne},
			values:   map[string]string{"cleanedUpHostname": "only-a_example_plain_only_10104", "hostname": "only-b.example"},
			request:  web("only-b.example", "/"), seen: forwarded,
		},
		{
			template: "HTTP_FRONTEND_ACL_ONLY_WITH_PATH",
			app:      app{id: "/plain/only-path", ports: []int{10105}, labels: host("only-path-a.example,only-path-b.example", "PATH", "/in")},
			text:     []string{"  acl path_{backend} path_beg -i {path}", showForOne},
			values: map[string]string{
				"path": "/in", "backend": "plain_only-path_10105", "cleanedUpHostname": "only-path-a_example_plain_only-path_10105",
				"hostname": "only-path-a.example",
			},
			request: web("only-path-a.example", "/IN"), seen: forwarded,
		},
		{
			template: "HTTP_FRONTEND_ACL_ONLY_WITH_PATH_AND_AUTH",
			app: app{
				id: "/plain/only-both", ports: []int{10106}, labels: host("only-both-a.example,only-both-b.example", "PATH", "/in", "AUTH", office),
			},
			text: []string{"  acl path_{backend} path_beg -i {path}", "  acl auth_{cleanedUpHostname} http_auth(user_{backend})", showForOne},
			values: map[string]string{
				"path": "/in", "cleanedUpHostname": "only-both-a_example_plain_only-both_10106", "hostname": "only-both-a.example",
				"realm": "Office", "backend": "plain_only-both_10106",
			},
			request: asBob(web("only-both-a.example", "/IN")), seen: forwarded,
		},
		{
			template: "HTTP_FRONTEND_ROUTING_ONLY",
			app:      app{id: "/plain/route", ports: []int{10107}, labels: host("route-a.example,route-b.example")},
			text:     []string{show, "  use_backend {backend} if host_{cleanedUpHostname}"},
			values:   map[string]string{"cleanedUpHostname": "route-a_example_plain_route_10107", "backend": "plain_route_10107"},
			request:  web("route-b.example", "/"), seen: forwarded,
		},
		{
			template: "HTTP_FRONTEND_ROUTING_ONLY_WITH_AUTH",
			app:      app{id: "/plain/route-auth", ports: []int{10108}, labels: host("route-auth-a.example,route-auth-b.example", "AUTH", office)},
			text: []string{
				"  acl auth_{cleanedUpHostname} http_auth(user_{backend})",
				"  http-request auth realm {realm} if host_{cleanedUpHostname} !auth_{cleanedUpHostname}",
				show, "  use_backend {backend} if host_{cleanedUpHostname}",
			},
			values: map[string]string{
				"cleanedUpHostname": "route-auth-a_example_plain_route-auth_10108", "realm": "Office", "backend": "plain_route-auth_10108",
			},
			request: asBob(web("route-auth-b.example", "/")), seen: forwarded,
		},
		{
			template: "HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH",
			app:      app{id: "/plain/route-path", ports: []int{10109}, labels: host("route-path-a.example,route-path-b.example", "PATH", "/in")},
			text:     []string{show, "  use_backend {backend} if host_{cleanedUpHostname} path_{backend}"},
			values: map[string]string{
				"cleanedUpHostname": "route-path-a_example_plain_route-path_10109", "backend": "plain_route-path_10109",
			},
			request: web("route-path-b.example", "/in"), seen: forwarded,
		},
		{
			template: "HTTP_FRONTEND_ROUTING_ONLY_WITH_PATH_AND_AUTH",
			app: app{
				id: "/plain/route-both", ports: []int{10110},
				labels: host("route-both-a.example,route-both-b.example", "PATH", "/in", "AUTH", office),
			},
			text: []string{
				"  http-request auth realm {realm} if host_{cleanedUpHostname} path_{backend} !auth_{cleanedUpHostname}",
				show, "  use_backend {backend} if host_{cleanedUpHostname} path_{backend}",
			},
			values: map[string]string{
				"cleanedUpHostname": "route-both-a_example_plain_route-both_10110", "realm": "Office", "backend": "plain_route-both_10110",
			},
			request: asBob(web("route-both-b.example", "/in")), seen: forwarded,
		},
		{
			template: "HTTP_FRONTEND_APPID_ACL",
			app:      app{id: "/plain/id", ports: []int{10111}, labels: host("id.example")},
			text: []string{
				"  acl app_{cleanedUpAppId} hdr(x-marathon-app-id) -i {appId}",
				"  http-request set-header X-Forwarded-Host '" + everything + "' if app_{cleanedUpAppId}",
				"  use_backend {backend} if app_{cleanedUpAppId}",
			},
			values: map[string]string{
				"cleanedUpAppId": "_plain_id_10111", "hostname": "id.example", "appId": "/plain/id", "backend": "plain_id_10111",
			},
			request: byID("/Plain/ID"), seen: forwarded,
		},
	})
}

// tlsRuleLabels replace the rules for hosts on port 443.
func tlsRuleLabels() []behaviour {
	const show = "  http-request set-header X-Forwarded-Host '" + everything + "' if {{ ssl_fc_sni -i {hostname} }}"
	const route = "  use_backend {backend} if {{ ssl_fc_sni -i {hostname} }}"
	const auth = "  acl auth_{cleanedUpHostname} http_auth(user_{backend})"
	return behavioursOf([]override{
		{
			template: "HTTPS_FRONTEND_ACL",
			app:      app{id: "/tls/one", ports: []int{10120}, labels: host("tls-one-a.example,tls-one-b.example")},
			text:     []string{show, route},
			values: map[string]string{
				"cleanedUpHostname": "tls-one-a_example_tls_one_10120", "hostname": "tls-one-b.example", "appId": "/tls/one", "backend": "tls_one_10120",
			},
			request: secure("tls-one-b.example", "/"), seen: forwarded,
		},
		{
			template: "HTTPS_FRONTEND_ACL_WITH_AUTH",
			app:      app{id: "/tls/auth", ports: []int{10121}, labels: host("tls-auth.example", "AUTH", office)},
			text: []string{
				auth, "  http-request auth realm {realm} if {{ ssl_fc_sni -i {hostname} }} !auth_{cleanedUpHostname}", show, route,
			},
			values: map[string]string{
				"cleanedUpHostname": "tls-auth_example_tls_auth_10121", "hostname": "tls-auth.example", "appId": "/tls/auth", "realm": "Office",
				"backend": "tls_auth_10121",
			},
			request: asBob(secure("tls-auth.example", "/")), seen: forwarded,
		},
		{
			template: "HTTPS_FRONTEND_ACL_ONLY_WITH_PATH",
			app:      app{id: "/tls/only-path", ports: []int{10122}, labels: host("tls-only-path.example", "PATH", "/in", "AUTH", office)},
			text:     []string{"  acl path_{backend} path_beg -i {path}", show},
			values: map[string]string{
				"path": "/in", "backend": "tls_only-path_10122", "cleanedUpHostname": "tls-only-path_example_tls_only-path_10122",
				"hostname": "tls-only-path.example", "realm": "Office",
			},
			request: asBob(secure("tls-only-path.example", "/IN")), seen: forwarded,
		},
		{
			template: "HTTPS_FRONTEND_ACL_WITH_PATH",
			app:      app{id: "/tls/path", ports: []int{10123}, labels: host("tls-path.example", "PATH", "/in")},
			text:     []string{show, route + " path_{backend}"},
			values: map[string]string{
				"cleanedUpHostname": "tls-path_example_tls_path_10123", "hostname": "tls-path.example", "appId": "/tls/path", "backend": "tls_path_10123",
			},
			request: secure("tls-path.example", "/in"), seen: forwarded,
		},
		{
			template: "HTTPS_FRONTEND_ACL_WITH_AUTH_AND_PATH",
			app:      app{id: "/tls/both", ports: []int{10124}, labels: host("tls-both.example", "PATH", "/in", "AUTH", office)},
			text: []string{
				auth, "  http-request auth realm {realm} if {{ ssl_fc_sni -i {hostname} }} path_{backend} !auth_{cleanedUpHostname}",
				show, route + " path_{backend}",
			},
			values: map[string]string{
				"cleanedUpHostname": "tls-both_example_tls_both_10124", "hostname": "tls-both.example", "appId": "/tls/both", "realm": "Office",
				"backend": "tls_both_10124", "path": "/in",
			},
			request: asBob(secure("tls-both.example", "/in")), seen: forwarded,
		},
	})
}

// redirectRuleLabels replace the redirects to https.
func redirectRuleLabels() []behaviour {
	const redirect = "  redirect location '" + everything + "' code 307 if !{{ ssl_fc }} host_{cleanedUpHostname}"
	return behavioursOf([]override{
		{
			template: "BACKEND_REDIRECT_HTTP_TO_HTTPS",
			app:      app{id: "/redirect/host", ports: []int{10130}, labels: host("redirect-host.example", "REDIRECT_TO_HTTPS", "true")},
			text:     []string{redirect},
			values:   map[string]string{"bindAddr": "@HOST@", "cleanedUpHostname": "redirect-host_example_redirect_host_10130"},
			request:  web("redirect-host.example", "/"), seen: inLocation, wishes: []wish{code(http.StatusTemporaryRedirect)},
		},
		{
			template: "BACKEND_REDIRECT_HTTP_TO_HTTPS_WITH_PATH",
			app:      app{id: "/redirect/path", ports: []int{10131}, labels: host("redirect-path.example", "PATH", "/in", "REDIRECT_TO_HTTPS", "true")},
			text:     []string{redirect + " path_{backend}"},
			values: map[string]string{
				"bindAddr": "@HOST@", "cleanedUpHostname": "redirect-path_example_redirect_path_10131", "backend": "redirect_path_10131",
			},
			request: web("redirect-path.example", "/in"), seen: inLocation, wishes: []wish{code(http.StatusTemporaryRedirect)},
		},
	})
}
