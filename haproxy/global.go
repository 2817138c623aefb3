package haproxy

// HardStop returns how long a configuration lets an old worker go on, as it stands
// there (hard-stop-after in a section global; the last one counts). Empty means
// without limit.
func (c Config) HardStop() string {
	limit := ""
	for _, s := range c.Sections.All() {
		if s.Kind != "global" {
			continue
		}
		for _, line := range s.Skeleton {
			if words, err := Words(line); err == nil && len(words) > 1 && words[0] == "hard-stop-after" {
				limit = words[1]
			}
		}
	}
	return limit
}
