package haproxy_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"mlb/haproxy"
	"mlb/templates"
)

// shop is the place of a service with two hosts.
func shop() haproxy.Place {
	return haproxy.Place{
		Backend: "shop_cart_10001", Bind: "*:10001", BindOptions: " ssl crt /etc/ssl/shop.pem",
		App: "/shop/cart", Hosts: []string{"shop.example.com", "cart.example.com"},
		HostCondition: "shop_example_com_shop_cart_10001", AppCondition: "_shop_cart_10001",
		Tasks: []netip.Addr{netip.MustParseAddr("127.0.0.9"), netip.MustParseAddr("::1")}, MapDir: "/etc/haproxy",
	}
}

// shopValues are the placeholders of such a service.
func shopValues() templates.Values {
	v := templates.Values{
		"backend": "shop_cart_10001", "cleanedUpHostname": "shop_example_com_shop_cart_10001", "hostname": "shop.example.com",
		"cleanedUpAppId": "_shop_cart_10001", "appId": "/shop/cart", "path": "-i /a /b", "realm": "'the shop'",
		"bindAddr": "*", "servicePort": "10001", "mode": "http", "balance": "roundrobin", "sslCert": " ssl crt /etc/ssl/shop.pem",
		"bindOptions": "", "user": "u", "passwd": "$6$salt$hash", "network_allowed": "10.0.0.0/8", "haproxy_dir": "/etc/haproxy",
		"tlsHost": "ssl_fc_sni", "proxypath": "/p", "rootpath": "/r",
		"proxyPattern": "'^/p(/(.*))?$'", "setHost": "  http-request set-header Host shop.example.com\n",
		"locationPattern": "'^(//shop\\.example\\.com)?(/.*)?$'", "rootTarget": "/r",
		"serverName": "a_10_0_0_1_1", "host_ipv4": "10.0.0.1", "host": "a", "port": "1", "serverId": "5",
		"cookieOptions": " check cookie abc", "healthCheckOptions": " check inter 3s fall 4", "otherOptions": " disabled",
		"healthCheckPath": "/health", "healthCheckTimeoutSeconds": "5", "healthCheckIntervalSeconds": "3",
		"healthCheckFalls": "4", "healthCheckPortOptions": " port 8080",
	}
	return v
}

func confined(template, text string) error {
	return haproxy.Confine(template, text, shop())
}

// The name of a backend may begin as another service's conditions do.
func TestD36ConditionsOfOthersAreNotOwn(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"host", "auth", "app"} {
		p := shop()
		p.Backend = word + "_other_10001"
		text := "  acl " + p.Backend + "_0123456789 always_true\n"
		if err := haproxy.Confine("HTTP_FRONTEND_ACL", text, p); !errors.Is(err, haproxy.ErrConfined) {
			t.Errorf("%s: %v, want ErrConfined", text, err)
		}
	}
}

func TestD36DefaultsAreConfined(t *testing.T) {
	t.Parallel()
	for _, e := range templates.Table() {
		if e.Label() == "" {
			continue
		}
		d, err := templates.Default(e.Name)
		if err != nil {
			t.Fatal(err)
		}
		text, err := d.Expand(shopValues())
		if err != nil {
			t.Fatal(err)
		}
		if e.Name[:4] == "MAP_" {
			if text, err = haproxy.Conditioned(text, condition(e.Name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := confined(e.Name, text); err != nil {
			t.Errorf("%s: %v", e.Name, err)
		}
	}
}

func condition(template string) string {
	if strings.HasSuffix(template, "APPID_ACL") {
		return "app_" + shop().AppCondition
	}
	return "host_" + shop().HostCondition
}

// usefulOverrides are what people write into labels.
func usefulOverrides() map[string]struct{ template, text string } {
	const host = "host_shop_example_com_shop_cart_10001"
	return map[string]struct{ template, text string }{
		"a backend's head":               {"BACKEND_HEAD", "\nbackend shop_cart_10001\n  mode http\n  balance leastconn\n  timeout server 5m\n  fullconn 10\n"},
		"a limit of requests":            {"BACKEND_HEAD", "backend shop_cart_10001\n  stick-table type ip size 100k expire 30s store http_req_rate(10s)\n  http-request track-sc0 src\n  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 10 }\n"},
		"a spare server":                 {"BACKEND_HEAD", "backend shop_cart_10001\n  default-server inter 5s\n  server spare 10.0.0.7:80 backup check\n"},
		"nothing in a backend":           {"BACKEND_HTTP_OPTIONS", ""},
		"comments":                       {"BACKEND_HTTP_OPTIONS", "# none\n\n"},
		"options switched off":           {"BACKEND_HTTP_OPTIONS", "  no option http-keep-alive\n  option forwardfor if-none\n"},
		"line ends of Windows":           {"BACKEND_HTTP_OPTIONS", "  http-request set-header X-A 1\r\n  http-request set-header X-B 2\r\n"},
		"headers of the answer":          {"BACKEND_HSTS_OPTIONS", "  http-response set-header Strict-Transport-Security \"max-age=1; preload\"\n"},
		"an expression with $":           {"BACKEND_HTTP_OPTIONS", "  http-request deny if { path_reg -i \\.(php|cgi)$ }\n"},
		"a quoted $":                     {"BACKEND_HTTP_OPTIONS", "  http-request replace-path '^/a(.*)$' \"\\1\\$\"\n"},
		"a cookie":                       {"BACKEND_STICKY_OPTIONS", "  cookie SRV insert indirect nocache httponly secure\n"},
		"an answer from a text":          {"BACKEND_HTTP_OPTIONS", "  http-request return status 200 content-type text/plain string ok hdr X-A 1 if { path /ping }\n"},
		"the health check's host":        {"BACKEND_HTTP_HEALTHCHECK_OPTIONS", "  option httpchk\n  http-check send meth GET uri /h ver HTTP/1.1 hdr Host a\n  http-check expect status 200-299\n"},
		"health check options":           {"BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS", " check inter 2s fall 3 port 81 check-ssl verify none\n"},
		"no health check options":        {"BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS", "\n"},
		"a password":                     {"USERLIST_HEAD", "userlist user_shop_cart_10001\n  group g users a\n  user a password $6$x$y\n  user b insecure-password x\n"},
		"no user list":                   {"USERLIST_HEAD", ""},
		"a frontend's head":              {"FRONTEND_HEAD", "frontend shop_cart_10001\n  bind *:10001 ssl crt /etc/ssl/shop.pem alpn h2,http/1.1\n  mode http\n  timeout client 1h\n  capture request header X len 9\n"},
		"the address in zeros":           {"FRONTEND_HEAD", "frontend shop_cart_10001\n  bind 0.0.0.0:10001 accept-proxy\n"},
		"no frontend":                    {"FRONTEND_HEAD", "\n"},
		"a default backend":              {"FRONTEND_BACKEND_GLUE", "  http-request set-header X-T l\n  default_backend shop_cart_10001\n"},
		"ACLs of its own names":          {"HTTP_FRONTEND_ACL_WITH_AUTH", "  acl v_shop_cart_10001 hdr(host) -i shop.example.com\n  acl w_shop_cart_10001 http_auth(user_shop_cart_10001)\n  http-request auth realm x if !w_shop_cart_10001 v_shop_cart_10001\n  use_backend shop_cart_10001 if v_shop_cart_10001\n"},
		"a condition in braces":          {"HTTP_FRONTEND_ACL", "  use_backend shop_cart_10001 if { hdr(host) -i shop.example.com shop.example.com:80 }\n"},
		"alternatives":                   {"HTTP_FRONTEND_ACL", "  use_backend shop_cart_10001 if { hdr(host) -i cart.example.com } { path_beg /a } or " + host + "\n"},
		"hosts by server name":           {"HTTPS_FRONTEND_ACL", "  acl n_shop_cart_10001 ssl_fc_sni shop.example.com\n  use_backend shop_cart_10001 if n_shop_cart_10001\n"},
		"another redirect":               {"BACKEND_REDIRECT_HTTP_TO_HTTPS", "  http-request redirect code 307 prefix https://a.example.org if " + host + " !{ ssl_fc }\n"},
		"a double negation":              {"HTTP_FRONTEND_ROUTING_ONLY", "  use_backend shop_cart_10001 if !! " + host + "\n"},
		"an app ID":                      {"HTTP_FRONTEND_APPID_ACL", "  use_backend shop_cart_10001 if { req.hdr(X-Marathon-App-Id) -i /Shop/cart }\n"},
		"a map":                          {"MAP_HTTP_FRONTEND_ACL", "  http-request set-header X-T l if " + host + "\n  use_backend %[req.hdr(host),map_str(/etc/haproxy/domain2backend.map)] if " + host + "\n"},
		"a server line":                  {"BACKEND_SERVER_OPTIONS", "  server a 10.0.0.1:1 check\n  server b [2001:db8::1]:2 weight 5 cookie x\n"},
		"a task on this machine":         {"BACKEND_SERVER_OPTIONS", "  server a 127.0.0.9:1\n"},
		"a task on this machine in IPv6": {"BACKEND_SERVER_OPTIONS", "  server a [::1]:1\n"},
		"a check of another port":        {"BACKEND_SERVER_OPTIONS", "  server a 10.0.0.1:1 check addr 10.0.0.2 port 5\n"},
		"servers left out":               {"BACKEND_SERVER_OPTIONS", "# none\n"},
		"allowed networks in tcp":        {"TCP_BACKEND_NETWORK_ALLOWED_ACL", "  acl network_allowed src 10.0.0.0/8 192.0.2.1\n"},
		"a variable of a request":        {"HTTP_FRONTEND_ROUTING_ONLY", "  http-request set-var(txn.seen) str(1) if " + host + "\n"},
		"the service's own counts":       {"BACKEND_HTTP_OPTIONS", "  http-request deny if { nbsrv(shop_cart_10001) lt 1 }\n  http-request deny if { srv_conn(shop_cart_10001/a) gt 5 }\n  server a 10.0.0.1:1\n"},
	}
}

func TestD36UsefulOverridesAreAllowed(t *testing.T) {
	t.Parallel()
	for name, c := range usefulOverrides() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := confined(c.template, c.text); err != nil {
				t.Error(err)
			}
		})
	}
}

// HAProxy takes what is allowed, so that no rule here is about texts that nobody can
// write.
func TestD36HAProxyTakesUsefulOverrides(t *testing.T) {
	t.Parallel()
	for name, c := range usefulOverrides() {
		if strings.Contains(c.text, ".pem") || c.template[:4] == "MAP_" {
			continue // reads a file
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if out, ok := checked(t, around(c.template, c.text)); !ok {
				t.Errorf("haproxy refuses it:\n%s", out)
			}
		})
	}
}

// around is a configuration with a text in the place of a template.
func around(template, text string) string {
	users, apps := "userlist user_shop_cart_10001\n  user x insecure-password y\n", "  acl app__shop_cart_10001 path /\n"
	head, glue, backend, rules := "frontend shop_cart_10001\n  bind 127.0.0.1:7\n  mode http\n", "", "backend shop_cart_10001\n  mode http\n", ""
	switch template {
	case "USERLIST_HEAD":
		users = text
	case "FRONTEND_HEAD":
		head = text + "\n"
	case "FRONTEND_BACKEND_GLUE":
		glue = text
	case "BACKEND_HEAD":
		backend = text
	case "HTTP_FRONTEND_APPID_ACL":
		apps += text
	case "BACKEND_SERVER_OPTIONS":
		backend += text
	case "BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS":
		backend += "  server a 127.0.0.1:1 " + strings.TrimSpace(text) + "\n"
	case "TCP_BACKEND_NETWORK_ALLOWED_ACL":
		backend = "backend shop_cart_10001\n  mode tcp\n" + text
		head, glue = "", ""
	default:
		if strings.HasPrefix(template, "BACKEND_") && !strings.HasPrefix(template, "BACKEND_REDIRECT") {
			backend += text
		} else {
			rules = text
		}
	}
	if strings.TrimSpace(head) == "" {
		glue = ""
	}
	shared := "frontend marathon_http_in\n  bind 127.0.0.1:8\n  mode http\n  acl host_shop_example_com_shop_cart_10001 hdr(host) x\n" + rules +
		"frontend marathon_http_appid_in\n  bind 127.0.0.1:9\n  mode http\n" + apps
	return shell + users + shared + head + glue + backend
}

func TestD36OverridesStayInTheirPlace(t *testing.T) {
	t.Parallel()
	const (
		b    = "BACKEND_HTTP_OPTIONS"
		f    = "FRONTEND_BACKEND_GLUE"
		rule = "HTTP_FRONTEND_ROUTING_ONLY"
		host = "host_shop_example_com_shop_cart_10001"
		use  = "use_backend shop_cart_10001"
	)
	for name, c := range map[string]struct{ template, text, about string }{
		"another section":                       {b, "frontend f\n", `line 1: directive "frontend"`},
		"a section in quotes":                   {b, "option forwardfor\n'listen' f\n", "line 2"},
		"a section of a later version":          {b, "crt-store\n", "directive"},
		"a program":                             {b, "program x\n  command sh\n", "directive"},
		"a second section":                      {"BACKEND_HEAD", "backend shop_cart_10001\nbackend other\n", "line 2"},
		"the same section twice":                {"BACKEND_HEAD", "backend shop_cart_10001\nbackend shop_cart_10001\n", "line 2"},
		"another backend":                       {"BACKEND_HEAD", "backend other_1\n", "has to begin with"},
		"no head of a backend":                  {"BACKEND_HEAD", "\n# x\n", "has to begin with"},
		"a comment for a frontend":              {"FRONTEND_HEAD", "# none\n", "has to begin with"},
		"lines before the head":                 {"BACKEND_HEAD", "mode http\nbackend shop_cart_10001\n", "has to begin with"},
		"defaults of others":                    {"BACKEND_HEAD", "backend shop_cart_10001 from x\n", "has to begin with"},
		"another user list":                     {"USERLIST_HEAD", "userlist user_other_1\n", "has to begin with"},
		"a rule in a user list":                 {"USERLIST_HEAD", "userlist user_shop_cart_10001\n  option forwardfor\n", "directive"},
		"another address":                       {"FRONTEND_HEAD", "frontend shop_cart_10001\n  bind *:22\n", "bind of another address"},
		"two addresses":                         {"FRONTEND_HEAD", "frontend shop_cart_10001\n  bind *:10001,*:22\n", "bind of another address"},
		"a bind twice":                          {"FRONTEND_HEAD", "frontend shop_cart_10001\n  bind *:10001\n  bind *:10001\n", "further bind"},
		"an abstract socket":                    {"FRONTEND_HEAD", "frontend shop_cart_10001\n  bind abns@x\n", "bind of another address"},
		"another certificate":                   {"FRONTEND_HEAD", "frontend shop_cart_10001\n  bind *:10001 ssl crt /etc/ssl/other.pem\n", "crt"},
		"a certificate behind the own one":      {"FRONTEND_HEAD", "frontend shop_cart_10001\n  bind *:10001 ssl crt /etc/ssl/shop.pem crt /etc/ssl/other.pem\n", "crt"},
		"rights of a socket":                    {"FRONTEND_HEAD", "frontend shop_cart_10001\n  bind *:10001 level admin\n", "level"},
		"a bind in the glue":                    {f, "  bind *:10001\n", "further bind"},
		"statistics":                            {f, "  stats enable\n", "directive"},
		"another's backend":                     {f, "  default_backend other_1\n", "another backend"},
		"another's backend by a sample":         {f, "  use_backend %[path]\n", "another backend"},
		"a log target":                          {b, "  log 10.0.0.1:514 local0\n", "directive"},
		"an error file":                         {b, "  errorfile 503 /etc/shadow\n", "directive"},
		"an error file in an answer":            {b, "  http-error status 503 errorfile /etc/shadow\n", "option"},
		"a file in an answer":                   {b, "  http-request return lf-file /etc/shadow\n", "lf-file"},
		"patterns from a file":                  {b, "  acl x src -f /etc/shadow\n", "-f"},
		"patterns from a map":                   {b, "  acl x src -M -f /x\n", "-M"},
		"a map file":                            {b, "  http-request set-header X %[path,map(/etc/passwd)]\n", "map"},
		"a map file in a map's template":        {"MAP_HTTP_FRONTEND_ACL", use + " if { hdr(host),map(/etc/passwd) -m found } " + host + "\n", "map"},
		"a map's default":                       {"MAP_HTTP_FRONTEND_ACL", "use_backend %[hdr(host),map(/etc/haproxy/domain2backend.map,other_1)] if " + host + "\n", "map"},
		"a look-up of something else":           {"MAP_HTTP_FRONTEND_ACL", "use_backend %[path,map(/etc/haproxy/domain2backend.map)] if " + host + "\n", "another backend"},
		"a constant for a look-up":              {"MAP_HTTP_FRONTEND_ACL", "use_backend %[str(other_1)] if " + host + "\n", "another backend"},
		"Lua":                                   {b, "  http-request lua.x\n", "lua."},
		"a Lua sample":                          {b, "  http-request set-header X %[lua.x(1)]\n", "lua"},
		"a service":                             {b, "  http-request use-service prometheus-exporter\n", "action"},
		"a filter":                              {b, "  filter spoe engine x config /x\n", "directive"},
		"an external check":                     {b, "  option external-check\n", "external-check"},
		"a transparent proxy":                   {b, "  option transparent\n", "transparent"},
		"an address of choice":                  {b, "  http-request set-dst hdr(x)\n", "action"},
		"an id":                                 {b, "  id 5\n", "directive"},
		"another mode":                          {b, "  mode health\n", "gone"},
		"a variable":                            {b, `  http-request set-header X "$HOME"`, "environment"},
		"a variable in braces":                  {b, `  http-request set-header X "${HOME}"`, "environment"},
		"a variable in a sample":                {b, "  http-request set-header X %[env(HOME)]\n", "env"},
		"a variable in a broken up sample":      {b, "  http-request set-header X %[e'nv('HOME)]\n", "env"},
		"a variable in an escaped sample":       {b, "  http-request set-header X %[\\x65nv(HOME)]\n", "env"},
		"a variable of the process":             {b, "  http-request set-var(proc.x) src\n", "proc."},
		"reading a variable of the process":     {b, "  http-request set-header X %[var(proc.x)]\n", "proc."},
		"a conditional of the file":             {b, ".if defined(X)\n", "directive"},
		"other teams' users":                    {b, "  http-request auth unless { http_auth(user_other_1) }\n", "user list"},
		"other teams' servers":                  {b, "  http-request deny if { nbsrv(other_1) lt 1 }\n", "nbsrv"},
		"other teams' tables":                   {b, "  http-request track-sc0 src table other_1\n", "stick table"},
		"other teams' counters":                 {b, "  http-request set-header X %[src_inc_gpc0(other_1)]\n", "src_inc_gpc0"},
		"other teams' persistence":              {b, "  stick on src table other_1\n", "stick table"},
		"a table sent elsewhere":                {b, "  stick-table type ip size 1k peers x\n", "peers"},
		"a huge table":                          {b, "  stick-table type ip size 4g\n", "size"},
		"a check of another socket":             {b, "  tcp-check connect addr unix@/run/x\n", "address"},
		"a control character":                   {b, "  http-request deny\v\n", "control"},
		"an empty word":                         {rule, "  http-request deny \"\" if " + host + "\n", "empty word"},
		"a carriage return":                     {rule, "  http-request deny\r if " + host + "\n", "control"},
		"a removed directive":                   {b, "  reqirep a b\n", "http-request replace-"},
		"a removed response rule":               {b, "  rspadd X-A:\\ b\n", "http-response add-header"},
		"a server in a shared frontend":         {rule, "  server a 10.0.0.1:1\n", "directive"},
		"an option in a shared frontend":        {rule, "  option httpclose\n", "directive"},
		"no condition":                          {rule, "  http-request deny\n", "without a condition"},
		"no condition for a backend":            {rule, use + "\n", "without a condition"},
		"a condition as an argument":            {rule, "  http-request set-header if " + host + "\n", "without a condition"},
		"a condition as a header":               {rule, "  http-request deny hdr if " + host + "\n", "without a condition"},
		"unless":                                {rule, use + " unless " + host + "\n", "without a condition"},
		"a negated condition":                   {rule, use + " if !" + host + "\n", "without a condition"},
		"an alternative without":                {rule, use + " if " + host + " or { path / }\n", "without a condition"},
		"an alternative in capitals":            {rule, use + " if " + host + " OR { path / }\n", "without a condition"},
		"a condition of the path":               {rule, use + " if path_shop_cart_10001\n", "without a condition"},
		"a host of others":                      {rule, use + " if { hdr(host) -i other.example.com }\n", "without a condition"},
		"a host of others beside":               {rule, use + " if { hdr(host) -i shop.example.com other.example.com }\n", "without a condition"},
		"a part of a host":                      {rule, use + " if { hdr_end(host) -i shop.example.com }\n", "without a condition"},
		"a part of a host by a flag":            {rule, use + " if { hdr(host) -m end shop.example.com }\n", "without a condition"},
		"another header":                        {rule, use + " if { hdr(x) -i shop.example.com }\n", "without a condition"},
		"an app ID on port 80":                  {rule, use + " if { hdr(x-marathon-app-id) /shop/cart }\n", "without a condition"},
		"a condition never closed":              {rule, use + " if { hdr(host) -i shop.example.com\n", "without a condition"},
		"an ACL that is more":                   {rule, "acl v_shop_cart_10001 hdr(host) shop.example.com\nacl v_shop_cart_10001 path_beg /\n" + use + " if v_shop_cart_10001\n", "without a condition"},
		"the host's ACL made more":              {rule, "acl " + host + " path_beg /\n", "other requests"},
		"an ACL of others":                      {rule, "acl host_other_example_com_other_1 path_beg /\n", `acl "host_other`},
		"a path of others":                      {rule, "acl path_other_1 path_beg /\n", `acl "path_other_1"`},
		"a general name":                        {rule, "acl network_allowed src 10.0.0.1\n", "network_allowed"},
		"a name that ends like others":          {rule, "acl v_x_shop_cart_10001 path /\n", "acl"},
		"a name that begins like others":        {rule, "acl shop_cart_10001_80 path /\n", "acl"},
		"a fetch of Lua":                        {"BACKEND_HTTP_OPTIONS", "  http-request set-header X %[lua.foo]\n", "lua.foo"},
		"a converter of Lua":                    {"BACKEND_HTTP_OPTIONS", "  http-request set-header X %[src,lua.foo]\n", "lua.foo"},
		"a criterion of Lua":                    {rule, "acl v_shop_cart_10001 lua.foo -m found\n", "lua.foo"},
		"others' password":                      {rule, "acl auth_other_1_0123456789 always_true\n", `acl "auth_other`},
		"others' backend":                       {rule, "use_backend other_1 if " + host + "\n", "another backend"},
		"an alternative behind a mark":          {rule, use + " if " + host + " !|| TRUE\n", "without a condition"},
		"an alternative behind two":             {rule, "  http-request deny if " + host + " !!or TRUE\n", "without a condition"},
		"a variable set by a condition":         {rule, "  http-request deny if { str(/x),set-var(txn.mlb_path) -m found } " + host + "\n", "set-var"},
		"a variable set by an ACL":              {rule, "  acl v_shop_cart_10001 str(/x),set-var(txn.x) -m found\n", "set-var"},
		"a variable unset by a condition":       {rule, use + " if { src,unset-var(txn.mlb_path) -m found } " + host + "\n", "set-var"},
		"draws without end":                     {"BACKEND_HEAD", "backend shop_cart_10001\n  balance random(2147483647)\n", "random"},
		"a check of the balancer":               {"BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS", "check addr 127.0.0.1 port 9090", "balancer itself"},
		"a check of any address":                {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1 check addr 0.0.0.0\n", "balancer itself"},
		"an agent on the balancer":              {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1 agent-check agent-addr 127.0.0.1\n", "balancer itself"},
		"a proxy on the balancer":               {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1 socks4 127.0.0.1:9090\n", "balancer itself"},
		"a check's connection to the balancer":  {"BACKEND_HTTP_OPTIONS", "  http-check connect addr 127.0.0.1 port 9090\n", "balancer itself"},
		"a changed host":                        {rule, "  http-request set-header Host other.example.com if " + host + "\n", "set-header Host"},
		"a removed password":                    {rule, "  http-request del-header authorization if " + host + "\n", "authorization"},
		"headers by pattern":                    {rule, "  http-request del-header ^ho -m reg if " + host + "\n", "del-header"},
		"a changed path":                        {rule, "  http-request set-path / if " + host + "\n", "set-path"},
		"the end of the rules":                  {rule, "  http-request allow if " + host + "\n", "allow"},
		"a changed client":                      {rule, "  http-request set-src hdr(x) if " + host + "\n", "set-src"},
		"mlb's variables":                       {rule, "  http-request set-var(txn.mlb_path) str(/) if " + host + "\n", "mlb_path"},
		"a variable of the connection":          {rule, "  http-request set-var(sess.x) src if " + host + "\n", "sess.x"},
		"rules of the answer among others'":     {rule, "  http-response set-header X y if " + host + "\n", "directive"},
		"an app ID of others":                   {"HTTP_FRONTEND_APPID_ACL", use + " if { hdr(x-marathon-app-id) /other }\n", "without a condition"},
		"a host on port 9091":                   {"HTTP_FRONTEND_APPID_ACL", use + " if { hdr(host) shop.example.com }\n", "without a condition"},
		"two lines in a server's options":       {"BACKEND_SERVER_HTTP_HEALTHCHECK_OPTIONS", "check\n  server b 10.0.0.1:1", "more than one line"},
		"a file in a server's options":          {"BACKEND_SERVER_TCP_HEALTHCHECK_OPTIONS", "check ca-file /x", "ca-file"},
		"another directive beside servers":      {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1\nhttp-request deny\n", "http-request"},
		"default-server beside servers":         {"BACKEND_SERVER_OPTIONS", "default-server check\n", "default-server"},
		"server-template":                       {"BACKEND_SERVER_OPTIONS", "server-template s 3 10.0.0.1:1\n", "server-template"},
		"HAProxy's own socket":                  {"BACKEND_SERVER_OPTIONS", "server a unix@/run/haproxy.sock\n", "server address"},
		"a name to be resolved":                 {"BACKEND_SERVER_OPTIONS", "server a example.com:80\n", "server address"},
		"an address in a variable":              {"BACKEND_SERVER_OPTIONS", "server a \"$HOST\"\n", "environment"},
		"this machine":                          {"BACKEND_SERVER_OPTIONS", "server a 127.0.0.1:9090\n", "balancer itself"},
		"this machine in IPv6":                  {"BACKEND_SERVER_OPTIONS", "server a [::ffff:127.0.0.1]:9090\n", "balancer itself"},
		"where the client wants to go":          {"BACKEND_SERVER_OPTIONS", "server a 0.0.0.0:80\n", "balancer itself"},
		"a server's name with a slash":          {"BACKEND_SERVER_OPTIONS", "server a/b 10.0.0.1:1\n", "server name"},
		"a server without a name":               {"BACKEND_SERVER_OPTIONS", "server\n", "server name"},
		"a certificate":                         {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1 ssl crt /etc/shadow\n", "crt"},
		"a certificate behind an escaped tab":   {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1 check\\\tcrt /etc/shadow\n", "crt"},
		"a namespace":                           {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1 namespace x\n", "namespace"},
		"others' server watched":                {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1 track other_1/a\n", "track"},
		"a variable in a server's sample":       {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1 ssl verify none sni env(PASSWORD)\n", "env"},
		"a check of a socket":                   {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1 check addr unix@/run/haproxy.sock\n", "addr"},
		"a source in a variable":                {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1 source '${X}'\n", "source"},
		"an unknown option":                     {"BACKEND_SERVER_OPTIONS", "server a 10.0.0.1:1 check fantasy\n", "fantasy"},
		"a server of this machine in a backend": {"BACKEND_HEAD", "backend shop_cart_10001\n  server a 127.0.0.1:1\n", "balancer itself"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := confined(c.template, c.text)
			if !errors.Is(err, haproxy.ErrConfined) && !errors.Is(err, haproxy.ErrRemoved) {
				t.Fatalf("Confine = %v, want ErrConfined or ErrRemoved", err)
			}
			if !strings.Contains(err.Error(), c.about) {
				t.Errorf("error %q says nothing about %q", err, c.about)
			}
		})
	}
	if err := confined(b, "option 'x"); !errors.Is(err, haproxy.ErrQuote) {
		t.Errorf("an open quote: %v", err)
	}
}

// The names of one service's conditions are no other service's, however its app is
// called.
func TestD32NamesOfConditionsBelongToOneService(t *testing.T) {
	t.Parallel()
	mine := []string{"path_a_b_1", "v_a_b_1", "a_b_1_wide", "auth_x_a_b_1", "host_x_a_b_1"}
	victim := haproxy.Place{Backend: "a_b_1", Hosts: []string{"x"}, HostCondition: "x_a_b_1", AppCondition: "_a_b_1"}
	for _, name := range mine {
		if err := haproxy.Confine("HTTP_FRONTEND_ACL", "acl "+name+" hdr(host) x\n", victim); err != nil {
			t.Errorf("own name: %v", err)
		}
	}
	for _, backend := range []string{"b_1", "x_a_b_1", "path_a_b_1", "v_a_b_1", "a_b_1_wide_2", "a_b", "host_x_a_b_1"} {
		other := haproxy.Place{Backend: backend, Hosts: []string{"y"}, HostCondition: "y_" + backend, AppCondition: "_" + backend}
		for _, name := range mine {
			if err := haproxy.Confine("HTTP_FRONTEND_ACL", "acl "+name+" path /\n", other); err == nil {
				t.Errorf("backend %s may define %s", backend, name)
			}
		}
	}
}

func TestD37ConditionsAreAdded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"use_backend a\n":                                   "  use_backend a if own\n",
		"use_backend a if x y or z\n":                       "  use_backend a if own x y or own z\n",
		"http-request set-header if x\n":                    "  http-request set-header if x if own\n",
		"# c\n\nhttp-request set-header X 'a  b' if x || y": "  http-request set-header X 'a  b' if own x || own y\n",
		"acl x path /\n":                                    "  acl x path /\n",
		"redirect scheme https\n":                           "  redirect scheme https if own\n",
	} {
		if got, err := haproxy.Conditioned(text, "own"); err != nil || got != want {
			t.Errorf("%q became %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"use_backend a unless x\n", "bind *:1\n", "http-request lua.x\n"} {
		if got, err := haproxy.Conditioned(text, "own"); !errors.Is(err, haproxy.ErrConfined) {
			t.Errorf("%q became %q, %v; want ErrConfined", text, got, err)
		}
	}
}

// FuzzConfine: whatever is accepted, put in its place it leaves the sections as they
// are and says nothing that is refused.
func FuzzConfine(f *testing.F) {
	names := []string{"BACKEND_HTTP_OPTIONS", "HTTP_FRONTEND_ACL", "FRONTEND_BACKEND_GLUE", "BACKEND_HEAD", "FRONTEND_HEAD", "BACKEND_SERVER_OPTIONS", "MAP_HTTP_FRONTEND_ACL"}
	for i := range names {
		f.Add(byte(i), "  use_backend shop_cart_10001 if { hdr(host) -i shop.example.com }\n")
		f.Add(byte(i), "backend shop_cart_10001\n  server a 10.0.0.1:1\n  http-request deny hdr if x\n")
		f.Add(byte(i), "frontend shop_cart_10001\n  bind *:10001 ssl crt /etc/ssl/shop.pem\n")
		f.Add(byte(i), "  http-request set-header X \"$HOME\"\n'listen' x\n")
	}
	f.Fuzz(func(t *testing.T, which byte, text string) {
		name := names[int(which)%len(names)]
		if confined(name, text) != nil {
			return
		}
		before := "backend before\n"
		config := haproxy.Parse(before + text + "\nbackend after\n")
		keys := make([]string, 0, config.Sections.Len())
		for _, s := range config.Sections.All() {
			keys = append(keys, s.Key())
			for _, line := range s.Skeleton {
				words, err := haproxy.Words(line)
				if err != nil {
					t.Fatal(err)
				}
				if slices.Contains([]string{"log", "stats", "filter", "errorfile", "reqirep", "id", "program", ".if"}, words[0]) {
					t.Errorf("%s accepts %q", name, line)
				}
			}
		}
		own := map[string]string{"BACKEND_HEAD": "backend shop_cart_10001", "FRONTEND_HEAD": "frontend shop_cart_10001"}[name]
		want := []string{"backend before", own, "backend after"}
		if own == "" || len(keys) == 2 && name == "FRONTEND_HEAD" {
			want = []string{"backend before", "backend after"}
		}
		if !slices.Equal(keys, want) {
			t.Errorf("%s: sections %q, want %q", name, keys, want)
		}
	})
}
