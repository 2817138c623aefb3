package apply

// Before has f called right before each step of a loop that does not run yet.
func Before(l *Loop, f func(step string)) { l.before = f }
