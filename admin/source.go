package admin

import "time"

// source is the JSON form of a Source. Ages are in seconds, null for never.
type source struct {
	Cluster         string   `json:"cluster,omitempty"`
	Master          string   `json:"master,omitempty"`
	AgeSeconds      *float64 `json:"age_seconds"`
	Restored        bool     `json:"restored,omitempty"`
	ListAgeSeconds  *float64 `json:"list_age_seconds"`
	StreamConnected bool     `json:"stream_connected"`
	EventAgeSeconds *float64 `json:"event_age_seconds"`
	ByteAgeSeconds  *float64 `json:"byte_age_seconds"`
	Error           string   `json:"error,omitempty"`
	Held            *held    `json:"held,omitempty"`
}

// held is the JSON form of a Held.
type held struct {
	SinceSeconds      float64 `json:"since_seconds"`
	Endpoints         int     `json:"endpoints"`
	OfEndpoints       int     `json:"of_endpoints"`
	Apps              int     `json:"apps"`
	OfApps            int     `json:"of_apps"`
	ConfirmationsLeft int     `json:"confirmations_left"`
}

// sourceList returns what /_mlb/ready shows of the sources.
func sourceList(found []Source, now time.Time) []source {
	age := func(t time.Time) *float64 {
		if t.IsZero() {
			return nil
		}
		return new(now.Sub(t).Round(time.Millisecond).Seconds())
	}
	list := make([]source, 0, len(found))
	for _, s := range found {
		entry := source{
			Cluster: s.Cluster, Master: s.Master, AgeSeconds: age(s.Data), Restored: s.Restored, ListAgeSeconds: age(s.List),
			StreamConnected: s.Connected, EventAgeSeconds: age(s.Event), ByteAgeSeconds: age(s.Byte), Error: s.Error,
		}
		if h := s.Held; h != nil {
			entry.Held = &held{
				SinceSeconds: *age(h.Since), Endpoints: h.Endpoints, OfEndpoints: h.OfEndpoints,
				Apps: h.Apps, OfApps: h.OfApps, ConfirmationsLeft: h.ConfirmationsLeft,
			}
		}
		list = append(list, entry)
	}
	return list
}
