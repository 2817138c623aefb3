package render

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"mlb/haproxy"
	"mlb/templates"
)

// maxSocketName keeps the name of an abstract socket below the kernel's limit.
const maxSocketName = 90

// virtualHost is what grouped HTTPS has for one host (contract 5.6).
type virtualHost struct {
	host, name   string
	services     []*rendered // by the order of rules
	certificates []string
	bindOptions  []string
}

// serves reports whether requests for the host may reach a service: none does behind one
// that takes them all, and then it must not decide about their TLS either.
func (v *virtualHost) serves(s *rendered) bool {
	for _, other := range v.services {
		if other == s {
			return true
		}
		if other.Path == "" && other.w.standard(other.w.templateNames(tlsSide)...) {
			return false
		}
	}
	return false
}

// virtualHosts collects the services by host, sorted by host. Certificates and bind
// options come in the order of the services (D42), of those that serve the host.
func (r *Renderer) virtualHosts(all, hosted []*rendered) []*virtualHost {
	byHost := map[string]*virtualHost{}
	for _, s := range hosted {
		for _, h := range s.Hosts {
			if byHost[h] == nil {
				byHost[h] = &virtualHost{host: h}
			}
			byHost[h].services = append(byHost[h].services, s)
		}
	}
	for _, s := range all {
		for _, h := range s.Hosts {
			if v := byHost[h]; v != nil && v.serves(s) {
				v.certificates = appendNew(v.certificates, s.Certificate)
				v.bindOptions = appendNew(v.bindOptions, s.BindOptions)
			}
		}
	}
	taken := map[string]bool{
		"stats": true, "marathon_http_in": true, "marathon_https_in": true, "marathon_http_appid_in": true,
	}
	for _, s := range all {
		taken[s.Name] = true
	}
	sorted := slices.Sorted(maps.Keys(byHost))
	hosts := make([]*virtualHost, len(sorted))
	for i, h := range sorted {
		hosts[i] = byHost[h]
		hosts[i].name = freeName(haproxy.Clean(h), taken)
	}
	return hosts
}

func appendNew(list []string, value string) []string {
	if value == "" || slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}

// freeName returns a section name that is not taken yet: the given one, shortened
// if it is too long for a socket, or with a number behind it.
func freeName(name string, taken map[string]bool) string {
	if len(name) > maxSocketName {
		name = name[:maxSocketName-11] + "_" + haproxy.Cookie(name)
	}
	free := name
	for n := 2; taken[free]; n++ {
		free = name + "_vhost" + strconv.Itoa(n)
	}
	taken[free] = true
	return free
}

// writeGrouped adds the frontend on 443 that passes TLS on by SNI and, for each
// host, the backend and the frontend that it goes to.
func (r *Renderer) writeGrouped(t *text, all, hosted []*rendered) {
	hosts := r.virtualHosts(all, hosted)
	t.frame(r.grouped)
	for _, v := range hosts {
		t.frame(r.global("HTTPS_GROUPED_VHOST_FRONTEND_ACL", templates.Values{"backend": v.name, "host": v.host}))
	}
	for _, v := range hosts {
		certificates := v.certificates
		if len(certificates) == 0 {
			certificates = r.frame.Certificates
		}
		options := r.frame.alpn()
		if len(v.bindOptions) > 0 {
			options += " " + strings.Join(v.bindOptions, " ")
		}
		t.frame(r.global("HTTPS_GROUPED_VHOST_BACKEND_HEAD", templates.Values{"name": v.name}))
		head := r.global("HTTPS_GROUPED_VHOST_FRONTEND_HEAD", templates.Values{
			"name": v.name, "sslCerts": certificateWords(certificates), "bindOpts": options,
		})
		t.frame(r.distinct(promised(head, frontendPromise), v.name, "_tls"))
		t.frame(r.misdirectedFrom(v.host))
		f := hostFrontend{r: r, side: tlsSide, fetch: r.frame.tlsHost(), host: v.host}
		t.byPhase(func() { f.write(t, v.services) })
	}
}
