package admin

// worker is the JSON form of a Worker.
type worker struct {
	PID int `json:"pid"`
	// Kind is current or old.
	Kind       string `json:"kind"`
	AgeSeconds int64  `json:"age_seconds"`
	Reloads    int    `json:"reloads"`
	// Connections is null for a worker that does not answer.
	Connections *int `json:"connections"`
}

type workers struct {
	// HardStopAfter is left out when there is no limit.
	HardStopAfter string   `json:"hard_stop_after,omitempty"`
	Workers       []worker `json:"workers"`
}

// workerList returns the answer of /_mlb/workers; without workers its list is empty,
// not null.
func workerList(found Workers) workers {
	list := workers{HardStopAfter: found.HardStop, Workers: make([]worker, 0, len(found.Workers))}
	for _, w := range found.Workers {
		entry := worker{PID: w.PID, Kind: "current", AgeSeconds: int64(w.Age.Seconds()), Reloads: w.Reloads}
		if w.Old {
			entry.Kind = "old"
		}
		if w.Connections >= 0 {
			entry.Connections = new(w.Connections)
		}
		list.Workers = append(list.Workers, entry)
	}
	return list
}
