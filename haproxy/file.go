package haproxy

import (
	"cmp"
	"slices"
	"strings"
)

// File is a file that the configuration reads, such as a map.
type File struct {
	// Name is the base name; the file stands beside the configuration.
	Name string
	// Text is what it holds.
	Text string
}

// WithFiles returns the configuration with the files that it reads. Their order
// does not matter; each name must stand once.
func (c Config) WithFiles(files []File) Config {
	c.Files = slices.SortedFunc(slices.Values(files), func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	return c
}

// files compares the files of two configurations. HAProxy reads them when it loads
// its configuration; only entries of maps change at run time.
func (d *differ) files(running, desired []File) {
	before := make(map[string]string, len(running))
	for _, f := range running {
		before[f.Name] = f.Text
	}
	for _, f := range desired {
		text, ok := before[f.Name]
		delete(before, f.Name)
		switch {
		case !ok:
			d.reason(ReasonMapChanged, "", "file %s is new", f.Name)
		case text != f.Text:
			step, why := d.mapStep(f.Name, text, f.Text)
			if why != "" {
				d.reason(ReasonMapChanged, "", "file %s %s", f.Name, why)
				continue
			}
			d.plan.Maps = append(d.plan.Maps, step)
		}
	}
	for name := range before {
		d.reason(ReasonMapChanged, "", "file %s is no longer wanted", name)
	}
}

// WithSuffix adds a suffix to a path wherever it stands in the text of a configuration
// as a whole. Lines stay what they are.
func WithSuffix(text, path, suffix string) string {
	inPath := func(c byte) bool {
		return c == '.' || c == '_' || c == '-' || c == '/' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	}
	var b strings.Builder
	done := 0
	for {
		i := strings.Index(text[done:], path)
		if i < 0 {
			b.WriteString(text[done:])
			return b.String()
		}
		start, end := done+i, done+i+len(path)
		b.WriteString(text[done:end])
		longer := start > 0 && inPath(text[start-1]) || end < len(text) && inPath(text[end])
		if !longer {
			b.WriteString(suffix)
		}
		done = end
	}
}
