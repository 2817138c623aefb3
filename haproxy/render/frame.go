package render

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	// Exporter says that HAProxy has its Prometheus exporter (D52).
	Exporter bool
	// DefaultOptions are the names of options for the defaults section.
	DefaultOptions []string
}

func (f Frame) values() templates.Values {
	v := templates.Values{
		"httpBind": f.HTTPBind, "httpsBind": f.HTTPSBind, "appIdBind": f.AppIDBind, "statsBind": f.StatsBind,
		"sslCerts": certificateWords(f.Certificates), "maxConn": strconv.Itoa(f.MaxConn),
		"statsSocket": f.StatsSocket, "adminSocket": f.AdminSocket,
		"identity": "", "exporter": "", "defaultOptions": "",
	}
	if f.User != "" {
		v["identity"] += "  user " + f.User + "\n"
	}
	if f.Group != "" {
		v["identity"] += "  group " + f.Group + "\n"
	}
	if f.Exporter {
		v["exporter"] = "  http-request use-service prometheus-exporter if { path /metrics }\n"
	}
	for _, o := range f.DefaultOptions {
		v["defaultOptions"] += "  option " + o + "\n"
	}
	return v
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

// Renderer makes configuration texts for one instance.
type Renderer struct {
	frame     Frame
	templates map[string]templates.Template
	head      string
	http      string
	appID     string
	https     string
}

// New returns a renderer. It fails with all bad placeholders of the overrides in
// one error (templates.ErrPlaceholder, D34).
func New(frame Frame, overrides Overrides) (*Renderer, error) {
	r := &Renderer{frame: frame, templates: map[string]templates.Template{}}
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
	frameValues := frame.values()
	for name, into := range map[string]*string{
		"HEAD": &r.head, "HTTP_FRONTEND_HEAD": &r.http, "HTTP_FRONTEND_APPID_HEAD": &r.appID, "HTTPS_FRONTEND_HEAD": &r.https,
	} {
		text, err := r.templates[name].Expand(frameValues)
		if err != nil {
			return nil, err
		}
		if name != "HEAD" {
			text = promised(text, frontendPromise)
		}
		*into = text
	}
	return r, nil
}

// CustomHead reports whether HEAD is an override: then the user's text decides about
// privileges, sockets and the statistics listener.
func (r *Renderer) CustomHead() bool { return !r.templates["HEAD"].Own }

// placeholders returns every name that any template may use, for the check at
// start.
func placeholders(f Frame) templates.Values {
	v := f.values()
	for _, name := range slices.Concat(serviceNames(), serverNames(), checkNames()) {
		v[name] = ""
	}
	return v
}

// frontendPromise and backendPromise are what the promise "no request is lost"
// rests on. They are put into each section, because a custom HEAD replaces the
// defaults; they come first, so that a template can still say otherwise.
const (
	frontendPromise = "  option idle-close-on-response\n"
	backendPromise  = "  option redispatch 1\n"
)

// promised inserts lines after the section line of a head.
func promised(head, lines string) string {
	before, after, ok := strings.Cut(strings.TrimLeft(head, "\n"), "\n")
	if !ok {
		return head
	}
	return fmt.Sprintf("\n%s\n%s%s", before, lines, after)
}
