package render

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/templates"
)

// Frame is what the configuration says besides services: the values of this
// instance. The zero value gives a text that HAProxy refuses.
type Frame struct {
	// HTTPBind, HTTPSBind, AppIDBind and StatsBind are the addresses of the four
	// fixed listeners as bind lines have them, such as "*:80".
	HTTPBind, HTTPSBind, AppIDBind, StatsBind string
	// NoHTTP leaves out the frontends on HTTPBind and HTTPSBind.
	NoHTTP bool
	// Certificates are the certificate files or directories of HTTPSBind, the
	// default one first.
	Certificates []string
	// MaxConn is HAProxy's global maxconn.
	MaxConn int
	// User and Group are what the worker drops to; empty for staying as it is.
	User, Group string
	// StatsSocket is the path of HAProxy's own statistics socket, AdminSocket
	// that of mlb's HTTP socket.
	StatsSocket, AdminSocket string
	// ServerStateFile is where HAProxy finds the states of servers after a reload.
	ServerStateFile string
	// HardStopAfter is how long an old worker may finish its sessions. Zero: without
	// limit (K18).
	HardStopAfter time.Duration
	// Exporter says that HAProxy has its Prometheus exporter (D52).
	Exporter bool
	// DefaultOptions are the names of options for the defaults section.
	DefaultOptions []string
	// Version is HAProxy's. From 3.3 a frontend may not be called like a backend
	// (D40). The zero value stands for an older one.
	Version haproxy.Version
	// MapDir is the folder of the configuration, where the map files stand.
	MapDir string
	// Map looks hosts and app IDs up in the map files of contract 5.5 that users
	// know; without it mlb's own maps do the same.
	Map bool
	// Grouped routes HTTPS by SNI to a TLS frontend for each host (contract 5.6).
	Grouped bool
	// HTTP2 offers HTTP/2 on HTTPSBind. Requests are then routed by Host (K20).
	HTTP2 bool
	// CertificateHosts are the hosts that the certificates of HTTPSBind stand for,
	// used only with HTTP2.
	CertificateHosts []CertificateHost
	// TemplateLabels reports whether the labels of an app may replace templates
	// (D36). Nil: those of every app may.
	TemplateLabels func(app string) bool
}

// CertificateHost is one name in a certificate.
type CertificateHost struct {
	// Fingerprint is the SHA-1 of the certificate in upper-case hex digits.
	Fingerprint string
	// Host is the name, lower-cased; "*." may stand for one label.
	Host string
}

func (f Frame) values() templates.Values {
	v := templates.Values{
		"httpBind": f.HTTPBind, "httpsBind": f.HTTPSBind, "appIdBind": f.AppIDBind, "statsBind": f.StatsBind,
		"sslCerts": certificateWords(f.Certificates), "maxConn": strconv.Itoa(f.MaxConn),
		"statsSocket": f.StatsSocket, "adminSocket": f.AdminSocket, "serverStateFile": f.ServerStateFile,
		"identity": "", "hardStopAfter": "", "exporter": "", "defaultOptions": "", "alpn": f.alpn(),
		"haproxy_dir": f.MapDir, "tlsHost": f.tlsHost(),
	}
	if f.User != "" {
		v["identity"] += "  user " + f.User + "\n"
	}
	if f.Group != "" {
		v["identity"] += "  group " + f.Group + "\n"
	}
	if f.HardStopAfter > 0 {
		v["hardStopAfter"] = "  hard-stop-after " + haproxyTime(f.HardStopAfter) + "\n"
	}
	if f.Exporter {
		v["exporter"] = "  http-request use-service prometheus-exporter if { path /metrics }\n"
	}
	for _, o := range f.DefaultOptions {
		v["defaultOptions"] += "  option " + o + "\n"
	}
	return v
}

// haproxyTime writes a time as HAProxy's configuration does: a whole number with one
// unit, the greatest that it can be written with. Below a millisecond nothing counts.
func haproxyTime(d time.Duration) string {
	d = d.Truncate(time.Millisecond)
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}} {
		if d%unit.is == 0 {
			return strconv.FormatInt(int64(d/unit.is), 10) + unit.name
		}
	}
	return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
}

// alpn is the end of a bind line that offers the protocols. Later versions of
// HAProxy offer HTTP/2 unless they are told otherwise.
func (f Frame) alpn() string {
	if f.HTTP2 {
		return " alpn h2,http/1.1"
	}
	return " alpn http/1.1"
}

// tlsHost is the sample fetch for the host of a request on HTTPSBind: one connection
// of HTTP/2 carries requests for several hosts.
func (f Frame) tlsHost() string {
	if f.HTTP2 {
		return hostHeader
	}
	return hostSNI
}

func certificateWords(files []string) string {
	words := make([]string, len(files))
	for i, f := range files {
		words[i] = "crt " + f
	}
	return strings.Join(words, " ")
}

// Overrides are template texts that replace the defaults for all services, by
// template name without HAPROXY_. Names that are no templates are ignored, and so is
// a text that is the default's, placeholders included: a copy of mlb's own file.
type Overrides map[string]string

// Renderer makes configuration texts for one instance. It remembers what it rendered
// last and is meant for one goroutine.
type Renderer struct {
	frame     Frame
	templates map[string]templates.Template
	// values are the placeholders that have the same text for all services.
	values templates.Values
	// head, http, appID, https and grouped are the heads of the fixed sections.
	head, http, appID, https, grouped string
	// promise begins each backend.
	promise string

	// rendered are the services of the last text, common what they share in it.
	rendered map[discovery.ServiceKey]*rendered
	common   *haproxy.Fragment
}

// New returns a renderer. It fails with all bad placeholders of the overrides in
// one error (templates.ErrPlaceholder, D34).
func New(frame Frame, overrides Overrides) (*Renderer, error) {
	r := &Renderer{frame: frame, templates: map[string]templates.Template{}, values: frame.values()}
	var errs []error
	for _, name := range templates.Names() {
		t, err := templates.Default(name)
		if err != nil {
			return nil, err
		}
		if text, ok := overrides[name]; ok && text != t.Text {
			t = t.Replaced(text)
		}
		if _, err := t.Expand(placeholders(frame)); err != nil {
			errs = append(errs, err)
		}
		r.templates[name] = t
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	r.head = r.global("HEAD", nil)
	r.promise = r.promised()
	r.http = promised(r.global("HTTP_FRONTEND_HEAD", nil), frontendPromise)
	r.appID = promised(r.global("HTTP_FRONTEND_APPID_HEAD", nil), frontendPromise)
	r.https = promised(r.global("HTTPS_FRONTEND_HEAD", nil), frontendPromise) + r.misdirected()
	r.grouped = r.global("HTTPS_GROUPED_FRONTEND_HEAD", nil)
	return r, nil
}

// global expands a template that stands for no single service.
func (r *Renderer) global(name string, more templates.Values) string {
	text, err := r.templates[name].Expand(more, r.values)
	if err != nil { // New has tried every name
		panic(err)
	}
	return text
}

// CustomHead reports whether HEAD is an override: then the user's text decides about
// privileges, sockets and the statistics listener.
func (r *Renderer) CustomHead() bool { return !r.templates["HEAD"].Own }

// placeholders returns every name that any template may use, for the check at
// start.
func placeholders(f Frame) templates.Values {
	v := f.values()
	for _, name := range slices.Concat(serviceNames(), serverNames(), checkNames(), groupedNames()) {
		v[name] = ""
	}
	return v
}

// frontendPromise and backendPromise are what the promise "no request is lost"
// rests on. They are put into each section, because a custom HEAD replaces the
// defaults; they come first, so that a template can still say otherwise.
//
// Tasks that Marathon ends together refuse connections some moments before mlb can
// hear of it, and often stand beside each other in the order in which HAProxy tries
// servers. The usual 3 retries meet only them. A retry on another server does not
// wait; on the only server each waits for a second. A custom HEAD that sets retries
// has its way.
const (
	frontendPromise = "  option idle-close-on-response\n"
	backendPromise  = "  option redispatch 1\n"
	retriesPromise  = "  retries 30\n"
)

// promised is backendPromise and, unless HEAD is the user's and sets retries,
// retriesPromise.
func (r *Renderer) promised() string {
	if r.CustomHead() {
		for _, s := range haproxy.Parse(r.head).Sections.All() {
			if s.Kind == "defaults" && slices.ContainsFunc(s.Skeleton, func(l string) bool { return strings.HasPrefix(l, "retries ") }) {
				return backendPromise
			}
		}
	}
	return backendPromise + retriesPromise
}

// promised inserts lines after the section line of a head, before which nothing but
// comments may stand; they are left out.
func promised(head, lines string) string {
	for rest := head; rest != ""; {
		line, after, _ := strings.Cut(rest, "\n")
		if text := strings.TrimSpace(line); text != "" && text[0] != '#' {
			return fmt.Sprintf("\n%s\n%s%s", line, lines, after)
		}
		rest = after
	}
	return head
}

// distinct gives the frontend of a head another name than that of the backend that
// it leads to, where HAProxy asks for it (D40).
func (r *Renderer) distinct(head, backend, suffix string) string {
	if !r.frame.Version.AtLeast(3, 3) {
		return head
	}
	line, rest, _ := strings.Cut(strings.TrimLeft(head, "\n"), "\n")
	if words := strings.Fields(line); len(words) != 2 || words[0] != "frontend" || words[1] != backend {
		return head
	}
	return "\nfrontend " + backend + suffix + "\n" + rest
}
