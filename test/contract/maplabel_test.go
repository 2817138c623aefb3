package contract_test

import (
	"net/http"
	"testing"

	"mlb/test/balancer"
)

// mapLabelStage shows the labels MAP_…, which speak for the service's own hosts and
// app ID only: the rule that they replace is one for all services (D37).
func mapLabelStage() stage {
	marked := func(of string) string { return "  http-request set-header X-Forwarded-Host " + of + "\n" }
	host := func(vhost, template, text string) map[string]string {
		return map[string]string{"HAPROXY_0_VHOST": vhost, "HAPROXY_0_" + template: text}
	}
	const byHost = "  use_backend %[req.hdr(host),lower,map_str({haproxy_dir}/domain2backend.map)]\n"
	hasMark := func(want string) wish { return said("x-forwarded-host", want) }
	noMark := func(a balancer.Answer) error { return said("x-forwarded-host", "")(a) }
	return stage{
		name: "map labels", args: []string{"--haproxy-map"},
		behaviours: append(mapRules(), []behaviour{
			{
				name: "D37: a MAP label replaces the common rule for its service's one host, and for no other",
				covers: []string{
					"D37", "label HAPROXY_{n}_MAP_HTTP_FRONTEND_ACL", "template MAP_HTTP_FRONTEND_ACL",
					"placeholder MAP_HTTP_FRONTEND_ACL haproxy_dir",
				},
				apps: []app{
					{id: "/one", ports: []int{10101}, labels: host("one.example", "MAP_HTTP_FRONTEND_ACL", marked("one")+byHost)},
					{id: "/plain", ports: []int{10102}, labels: map[string]string{"HAPROXY_0_VHOST": "plain.example"}},
				},
				show: func(t *testing.T, s scene) {
					expect(t, s.Web("one.example", "/"), by("/one"), hasMark("one"))
					expect(t, s.Web("plain.example", "/"), by("/plain"), noMark)
				},
			},
			{
				name: "D37: a MAP label replaces the common rule for its service's hosts",
				covers: []string{
					"label HAPROXY_{n}_MAP_HTTP_FRONTEND_ACL_ONLY", "template MAP_HTTP_FRONTEND_ACL_ONLY",
					"placeholder MAP_HTTP_FRONTEND_ACL_ONLY haproxy_dir",
				},
				apps: []app{{
					id: "/two", ports: []int{10103},
					labels: host("two.example,second.example", "MAP_HTTP_FRONTEND_ACL_ONLY", marked("two")+byHost),
				}},
				show: func(t *testing.T, s scene) {
					expect(t, s.Web("two.example", "/"), by("/two"), hasMark("two"))
					expect(t, s.Web("second.example", "/"), by("/two"), hasMark("two"))
					expect(t, s.Web("third.example", "/"), code(http.StatusServiceUnavailable))
				},
			},
			{
				name: "D37: a MAP label replaces the common rule on 443",
				covers: []string{
					"label HAPROXY_{n}_MAP_HTTPS_FRONTEND_ACL", "template MAP_HTTPS_FRONTEND_ACL",
					"placeholder MAP_HTTPS_FRONTEND_ACL haproxy_dir", "placeholder MAP_HTTPS_FRONTEND_ACL hostname",
				},
				apps: []app{{
					id: "/three", ports: []int{10104},
					labels: host("three.example", "MAP_HTTPS_FRONTEND_ACL",
						marked("{hostname}")+"  use_backend %[ssl_fc_sni,lower,map_str({haproxy_dir}/domain2backend.map)]\n"),
				}},
				show: func(t *testing.T, s scene) {
					expect(t, s.Secure("three.example", "/"), by("/three"), hasMark("three.example"))
				},
			},
			{
				name: "D37: a MAP label replaces the common rule for its service's app ID",
				covers: []string{
					"label HAPROXY_{n}_MAP_HTTP_FRONTEND_APPID_ACL", "template MAP_HTTP_FRONTEND_APPID_ACL",
					"placeholder MAP_HTTP_FRONTEND_APPID_ACL haproxy_dir",
				},
				apps: []app{
					{id: "/four", ports: []int{10105}, labels: host("four.example", "MAP_HTTP_FRONTEND_APPID_ACL",
						marked("four")+"  use_backend %[req.hdr(x-marathon-app-id),map_str({haproxy_dir}/app2backend.map)]\n")},
					{id: "/five", ports: []int{10106}, labels: map[string]string{"HAPROXY_0_VHOST": "five.example"}},
				},
				show: func(t *testing.T, s scene) {
					expect(t, s.ByID("/four", "/"), by("/four"), hasMark("four"))
					expect(t, s.ByID("/five", "/"), by("/five"), noMark)
				},
			},
		}...),
	}
}
