package runtime

import (
	"context"
	"fmt"
	"strings"
)

// MapEntry is one entry of a map.
type MapEntry struct{ Key, Value string }

// Map reads the entries of the map that was loaded from a path (HAProxy's management
// guide, "show map"), in HAProxy's order. A key may stand more than once. A map that
// HAProxy does not have is an error.
func (s *Socket) Map(ctx context.Context, path string) ([]MapEntry, error) {
	text, err := s.query(ctx, "show map "+path)
	if err != nil {
		return nil, err
	}
	entries, err := ParseMap(text)
	if err != nil {
		return nil, fmt.Errorf("map %s: %w", path, err)
	}
	return entries, nil
}

// ParseMap reads the answer to "show map PATH": a line for each entry, with a pointer,
// the key and the value, which may have blanks.
func ParseMap(text string) ([]MapEntry, error) {
	var entries []MapEntry
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line == "" {
			continue
		}
		pointer, entry, _ := strings.Cut(line, " ")
		key, value, ok := strings.Cut(entry, " ")
		if !ok || !strings.HasPrefix(pointer, "0x") {
			return nil, fmt.Errorf("%w: %.100q", ErrUnexpectedAnswer, line)
		}
		entries = append(entries, MapEntry{key, value})
	}
	return entries, nil
}
