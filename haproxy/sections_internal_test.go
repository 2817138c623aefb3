package haproxy

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A list of sections is what a slice of them would be, and the one that it was made
// from stays as it was.
func TestSectionsAreASliceThatSharesWhatDoesNotChange(t *testing.T) {
	t.Parallel()
	some := make([]*Section, 5)
	for i := range some {
		some[i] = &Section{Name: string(rune('a' + i%3))}
	}
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.SampledFrom(some), 0, 3*blockSize).Draw(t, "sections")
		other := slices.Clone(all)
		s := newSections(all)
		o := s
		if rapid.Bool().Draw(t, "nothing is shared") {
			o = newSections(other)
		}
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			if len(all) == 0 {
				break
			}
			i := rapid.IntRange(0, len(all)-1).Draw(t, "index")
			other[i] = rapid.SampledFrom(some).Draw(t, "section")
			o = o.with(i, other[i]).sharing(i, s)
		}
		for of, want := range map[*Sections][]*Section{&s: all, &o: other} {
			if of.Len() != len(want) {
				t.Fatalf("%d sections, want %d", of.Len(), len(want))
			}
			for i, section := range of.All() {
				if section != want[i] || of.At(i) != section {
					t.Fatalf("section %d is another one", i)
				}
			}
		}
		var differ []int
		for i := range all {
			if all[i] != other[i] {
				differ = append(differ, i)
			}
		}
		if got := slices.Collect(s.differing(o)); !slices.Equal(got, differ) {
			t.Errorf("%v differ, want %v", got, differ)
		}
		if got := s.equal(o, (*Section).sameName); got != slices.EqualFunc(all, other, (*Section).sameName) {
			t.Errorf("equal is %t", got)
		}
		if s.equal(newSections(append(other, some[0])), (*Section).sameName) {
			t.Error("equal to one with a section more")
		}
	})
}
