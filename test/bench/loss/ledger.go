package main

import "sync"

// ledger is what the tasks have written down: which of them there were, and which
// POSTs they have carried out. It is safe for concurrent use.
type ledger struct {
	// doubled is told of each POST that is carried out once more.
	doubled func(nonce string)

	mu    sync.Mutex // guards what many requests write down
	apps  map[string]string
	posts map[string]struct{}
}

// newLedger returns an empty ledger.
func newLedger(doubled func(nonce string)) *ledger {
	return &ledger{doubled: doubled, apps: map[string]string{}, posts: map[string]struct{}{}}
}

// started notes that a task runs.
func (l *ledger) started(task, app string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.apps[task] = app
}

// owner returns the app that a task belongs to, empty if there was no such task.
func (l *ledger) owner(task string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.apps[task]
}

// post notes that a task carries out a POST.
func (l *ledger) post(nonce string) {
	l.mu.Lock()
	_, again := l.posts[nonce]
	l.posts[nonce] = struct{}{}
	l.mu.Unlock()
	if again {
		l.doubled(nonce)
	}
}
