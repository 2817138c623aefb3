package main

import "sync"

// ledger is what the tasks have written down: which of them there were, and which
// POSTs they have carried out. It is safe for concurrent use.
type ledger struct {
	// doubled is told of each POST that is carried out once more.
	doubled func(nonce string)

	mu    sync.Mutex // guards what many requests write down
	apps  map[string]string
	posts map[string]int
}

// newLedger returns an empty ledger.
func newLedger(doubled func(nonce string)) *ledger {
	return &ledger{doubled: doubled, apps: map[string]string{}, posts: map[string]int{}}
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
	l.posts[nonce]++
	again := l.posts[nonce] > 1
	l.mu.Unlock()
	if again {
		l.doubled(nonce)
	}
}

// seen returns how often a POST was carried out.
func (l *ledger) seen(nonce string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.posts[nonce]
}
