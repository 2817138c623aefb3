package admin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// handler answers by the exact path; a map, because http.ServeMux would redirect
// paths that it considers unclean.
type handler map[string]http.HandlerFunc

// newHandler returns the handler of all paths.
// Those that give orders and those that show how traffic is led ask for one of the
// sources.
func newHandler(v View, sources Sources, metrics prometheus.Gatherer, log *zap.Logger) handler {
	text := func(get func() []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, get()) }
	}
	return handler{
		"/_haproxy_getconfig":   guard(sources, text(v.GetConfig)),
		"/_haproxy_getpids":     text(func() []byte { return joinPIDs(v.PIDs()) }),
		"/_haproxy_getvhostmap": guard(sources, text(v.HostMap)),
		"/_haproxy_getappmap":   guard(sources, text(v.AppMap)),
		"/_mlb_signal/hup":      guard(sources, signal("SIGHUP", v.Refresh)),
		"/_mlb_signal/usr1":     guard(sources, signal("SIGUSR1", v.Reload)),
		"/_mlb/reload": guard(sources, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodPost {
				w.Header().Set("Allow", http.MethodPost)
				writeText(w, http.StatusMethodNotAllowed, []byte("POST asks for a reload.\n"))
				return
			}
			v.ReloadNow("request")
			writeText(w, http.StatusAccepted, []byte("HAProxy will be reloaded.\n"))
		}),
		"/_mlb/live": func(w http.ResponseWriter, _ *http.Request) {
			writeHealth(w, map[string]any{}, "live", v.Live())
		},
		"/_mlb/ready": func(w http.ResponseWriter, _ *http.Request) {
			writeHealth(w, map[string]any{"marathon": sourceList(v.Sources(), time.Now())}, "ready", v.Ready())
		},
		"/_mlb/release": guard(sources, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method != http.MethodPost:
				w.Header().Set("Allow", http.MethodPost)
				writeText(w, http.StatusMethodNotAllowed, []byte("POST believes what is held back.\n"))
			case !v.Release():
				writeText(w, http.StatusConflict, []byte("Nothing is held back.\n"))
			default:
				writeText(w, http.StatusAccepted, []byte("The next answer of Marathon that says the same will be believed.\n"))
			}
		}),
		"/_mlb/problems": guard(sources, func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, http.StatusOK, problemList(v.Problems()))
		}),
		"/_mlb/workers": func(w http.ResponseWriter, r *http.Request) {
			found, err := v.Workers(r.Context())
			if err != nil {
				writeJSON(w, http.StatusServiceUnavailable, map[string]any{"workers": []worker{}, "reasons": reasons(err)})
				return
			}
			writeJSON(w, http.StatusOK, workerList(found))
		},
		"/_mlb/metrics": promhttp.HandlerFor(metrics, promhttp.HandlerOpts{
			ErrorLog:      zap.NewStdLog(log),
			ErrorHandling: promhttp.ContinueOnError,
		}).ServeHTTP,
	}
}

// ServeHTTP answers one request. The path counts as it was sent: HAProxy, which
// decides what is forwarded, does not decode it either.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if answer, ok := h[r.URL.EscapedPath()]; ok {
		answer(w, r)
		return
	}
	w.Header().Set("Cache-Control", "no-cache")
	writeBody(w, http.StatusServiceUnavailable, "text/html",
		[]byte("<html><body><h1>503 Service Unavailable</h1>\nThere is nothing at this address.\n</body></html>\n"))
}

// guard lets requests from the sources through and answers others with 403.
func guard(sources Sources, answer http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if sources.allow(r) {
			answer(w, r)
			return
		}
		writeText(w, http.StatusForbidden, []byte("Not for clients at this address (--admin-sources).\n"))
	}
}

// signal asks for what the signal of that name would do. The texts are those of
// contract 8, which scripts compare.
func signal(name string, ask func(reason string) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if ask("signal") {
			writeText(w, http.StatusOK, []byte("Sent "+name+" signal to marathon-lb"))
			return
		}
		writeText(w, http.StatusInternalServerError, []byte("Failed to send "+name+
			" signal to marathon-lb (exit code 1). Is it in poll mode? There, a pass starts with the next interval only."))
	}
}

func joinPIDs(pids []int) []byte {
	words := make([]string, len(pids))
	for i, pid := range pids {
		words[i] = strconv.Itoa(pid)
	}
	return []byte(strings.Join(words, " "))
}

// writeHealth answers with 200 and {"<what>":true}, or with 503 and the reasons, and with
// what else there is to say, which it may change.
func writeHealth(w http.ResponseWriter, body map[string]any, what string, why error) {
	status := http.StatusOK
	body[what] = why == nil
	if why != nil {
		status = http.StatusServiceUnavailable
		body["reasons"] = reasons(why)
	}
	writeJSON(w, status, body)
}

// reasons takes an error made by errors.Join apart. One that wraps several errors
// in a sentence of its own stays in one piece.
func reasons(why error) []string {
	whole := []string{why.Error()}
	joined, ok := why.(interface{ Unwrap() []error })
	if !ok {
		return whole
	}
	var parts []string
	for _, err := range joined.Unwrap() {
		parts = append(parts, reasons(err)...)
	}
	if strings.Join(parts, "\n") != why.Error() {
		return whole
	}
	return parts
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil { // all values are plain, so this is a fault of the program
		status, body = http.StatusInternalServerError, []byte(`{}`)
	}
	writeBody(w, status, "application/json", append(body, '\n'))
}

// writeText answers with the type text/plain, without a character set (contract 8).
func writeText(w http.ResponseWriter, status int, body []byte) {
	writeBody(w, status, "text/plain", body)
}

func writeBody(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that is gone needs no answer
}
