package main

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
)

// flagValue is one option's place in the draft, as pflag sees it: it parses a word
// into the place and shows what the place holds.
type flagValue[T any] struct {
	place *T
	parse func(word string) (T, error)
	show  func(T) string
}

// Set parses word; on an error, which names word, the place keeps what it had.
func (v flagValue[T]) Set(word string) error {
	parsed, err := v.parse(word)
	if err != nil {
		if shown := strconv.Quote(withoutUser(word)); !strings.Contains(err.Error(), shown) {
			return fmt.Errorf("%w, got %s", err, shown)
		}
		return err
	}
	*v.place = parsed
	return nil
}

// String shows what the place holds. pflag also calls it on a zero value.
func (v flagValue[T]) String() string {
	if v.place == nil {
		return ""
	}
	return v.show(*v.place)
}

// Type is what pflag prints after the flag's name; the table says it better.
func (v flagValue[T]) Type() string { return "value" }

// flagList is an option that may be given several times: each word is added, in
// order, duplicates dropped.
type flagList struct {
	place *[]string
}

// Set adds word unless it is there already.
func (l flagList) Set(word string) error {
	if !slices.Contains(*l.place, word) {
		*l.place = append(*l.place, word)
	}
	return nil
}

// String shows the words, separated by blanks.
func (l flagList) String() string {
	if l.place == nil {
		return ""
	}
	return strings.Join(*l.place, " ")
}

// Type is what pflag prints after the flag's name; the table says it better.
func (l flagList) Type() string { return "value" }

// booleanFlag is a flag without a value; its variable has one.
func booleanFlag(place *bool) pflag.Value {
	parse := func(word string) (bool, error) {
		on, err := strconv.ParseBool(word)
		if err != nil {
			return false, errors.New("want true or false")
		}
		return on, nil
	}
	return flagValue[bool]{place, parse, strconv.FormatBool}
}

// textFlag takes any word, the empty one too.
func textFlag(place *string) pflag.Value {
	return flagValue[string]{place, func(word string) (string, error) { return word, nil }, showText}
}

// pathFlag takes a file's or folder's name, or another word that must not be empty.
func pathFlag(place *string) pflag.Value {
	return flagValue[string]{place, parsePath, showText}
}

// placeFlag takes a path that HAProxy's configuration names too. It becomes absolute:
// HAProxy refuses a relative socket, and may run in another working directory.
func placeFlag(place *string) pflag.Value {
	return flagValue[string]{place, parsePlace, showText}
}

// secretFlag takes any word and never shows it.
func secretFlag(place *Secret) pflag.Value {
	return flagValue[Secret]{place, func(word string) (Secret, error) { return NewSecret(word), nil }, Secret.String}
}

// integerFlag takes a decimal number of at least lowest, with or without a sign.
func integerFlag(place *int, lowest int) pflag.Value {
	return flagValue[int]{place, func(word string) (int, error) { return parseInteger(word, lowest) }, strconv.Itoa}
}

// percentFlag takes a whole number from 1 to 100, with or without a percent sign.
func percentFlag(place *int) pflag.Value {
	parse := func(word string) (int, error) {
		number, err := parseInteger(strings.TrimSuffix(strings.TrimSpace(word), "%"), 1)
		if err == nil && number > 100 {
			return 0, errors.New("must be at most 100")
		}
		return number, err
	}
	return flagValue[int]{place, parse, strconv.Itoa}
}

// anyIntegerFlag takes a decimal number, negative ones too.
func anyIntegerFlag(place *int) pflag.Value { return integerFlag(place, math.MinInt) }

// spanFlag takes a whole number of seconds or a duration with units; not negative.
func spanFlag(place *time.Duration) pflag.Value {
	return flagValue[time.Duration]{place, parseSpan, time.Duration.String}
}

// positiveSpanFlag is span without zero.
func positiveSpanFlag(place *time.Duration) pflag.Value {
	parse := func(word string) (time.Duration, error) {
		d, err := parseSpan(word)
		if err == nil && d == 0 {
			return 0, errors.New("must not be zero")
		}
		return d, err
	}
	return flagValue[time.Duration]{place, parse, time.Duration.String}
}

// haproxyLongest is the longest time that HAProxy's configuration can have.
const haproxyLongest = math.MaxInt32 * time.Millisecond

// haproxySpanFlag is span for a time that HAProxy's configuration has in
// milliseconds; zero stands for none.
func haproxySpanFlag(place *time.Duration) pflag.Value {
	parse := func(word string) (time.Duration, error) {
		d, err := parseSpan(word)
		switch {
		case err != nil:
			return 0, err
		case d > 0 && d < time.Millisecond:
			return 0, errors.New("must be at least 1ms, or 0")
		case d > haproxyLongest:
			return 0, errors.New("must be at most 24 days")
		}
		return d, nil
	}
	return flagValue[time.Duration]{place, parse, time.Duration.String}
}

// pauseFlag takes what the command sleep takes, or a duration with units.
func pauseFlag(place *time.Duration) pflag.Value {
	return flagValue[time.Duration]{place, parsePause, time.Duration.String}
}

// addressFlag takes ADDR:PORT.
func addressFlag(place *BindAddress) pflag.Value {
	return flagValue[BindAddress]{place, parseBindAddress, BindAddress.String}
}

// hostFlag takes an address without a port.
func hostFlag(place *string) pflag.Value {
	return flagValue[string]{place, parseBindHost, showText}
}

// oneOfFlag takes one of the given words.
func oneOfFlag(place *string, words ...string) pflag.Value {
	parse := func(word string) (string, error) {
		if !slices.Contains(words, word) {
			return "", fmt.Errorf("want one of %s", strings.Join(words, ", "))
		}
		return word, nil
	}
	return flagValue[string]{place, parse, showText}
}

// showText shows a text as it is.
func showText(s string) string { return s }

// parsePath reads a word that must not be empty.
func parsePath(word string) (string, error) {
	if word == "" {
		return "", errors.New("must not be empty")
	}
	return word, nil
}

// parsePlace reads a path and makes it absolute.
func parsePlace(word string) (string, error) {
	place, err := parsePath(word)
	if err != nil || filepath.IsAbs(place) {
		return place, err
	}
	if place, err = filepath.Abs(place); err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	return place, nil
}

// parseInteger reads a decimal number; blanks around it are allowed.
func parseInteger(word string, lowest int) (int, error) {
	number, err := strconv.Atoi(strings.TrimSpace(word))
	switch {
	case errors.Is(err, strconv.ErrRange):
		return 0, errors.New("number out of range")
	case err != nil:
		return 0, errors.New("not a whole number")
	case number < lowest:
		return 0, fmt.Errorf("must be at least %d", lowest)
	default:
		return number, nil
	}
}

// parseSpan reads whole seconds ("300") or a duration with units ("5m").
func parseSpan(word string) (time.Duration, error) {
	word = strings.TrimSpace(word)
	if seconds, err := strconv.ParseInt(word, 10, 64); err == nil {
		return inSeconds(float64(seconds))
	}
	d, err := time.ParseDuration(word)
	if err != nil {
		return 0, errors.New("neither whole seconds nor a duration such as 1m30s")
	}
	return notNegative(d)
}

// parsePause reads one or more numbers, each with an optional fraction and unit
// (s, m, h, d), and adds them up, as the command sleep does. "infinity" and a
// duration such as 1m30s are understood too.
func parsePause(word string) (time.Duration, error) {
	parts := strings.Fields(word)
	if len(parts) == 0 {
		return 0, errors.New("no time given")
	}
	var sum time.Duration
	for _, part := range parts {
		d, err := parsePausePart(part)
		if err != nil {
			return 0, err
		}
		if sum > math.MaxInt64-d {
			return math.MaxInt64, nil
		}
		sum += d
	}
	return sum, nil
}

// parsePausePart reads one word of a pause.
func parsePausePart(word string) (time.Duration, error) {
	switch strings.ToLower(word) {
	case "inf", "infinity":
		return math.MaxInt64, nil
	}
	number, scale := word, 1.0
	switch word[len(word)-1] {
	case 's':
		number = word[:len(word)-1]
	case 'm':
		number, scale = word[:len(word)-1], 60
	case 'h':
		number, scale = word[:len(word)-1], 3600
	case 'd':
		number, scale = word[:len(word)-1], 86400
	}
	if n, err := strconv.ParseFloat(number, 64); err == nil && !math.IsNaN(n) {
		return inSeconds(n * scale)
	}
	d, err := time.ParseDuration(word)
	if err != nil {
		return 0, errors.New("neither seconds nor a duration such as 1m30s")
	}
	return notNegative(d)
}

// inSeconds turns seconds into a duration, which ends at about 292 years.
func inSeconds(seconds float64) (time.Duration, error) {
	if seconds >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64, nil
	}
	return notNegative(time.Duration(seconds * float64(time.Second)))
}

// notNegative refuses a time that runs backwards.
func notNegative(d time.Duration) (time.Duration, error) {
	if d < 0 {
		return 0, errors.New("must not be negative")
	}
	return d, nil
}
