package haproxy

import (
	"iter"
	"slices"
)

// blockSize is how many sections are copied when one is replaced.
const blockSize = 64

// Sections are the sections of a configuration in file order. A value is never changed:
// one with another section shares all but a block of them, so that a change costs the
// same with 10,000 sections as with a few, and comparing two skips what they share. The
// zero value has none. It is safe for concurrent use.
type Sections struct {
	// blocks are full but for the last one, whose rest is nil.
	blocks []*block
	n      int
}

type block [blockSize]*Section

func newSections(all []*Section) Sections {
	s := Sections{n: len(all)}
	for part := range slices.Chunk(all, blockSize) {
		var b block
		copy(b[:], part)
		s.blocks = append(s.blocks, &b)
	}
	return s
}

// Len is the number of sections.
func (s Sections) Len() int { return s.n }

// At returns the section at an index from 0 to Len-1, which must not be changed.
func (s Sections) At(i int) *Section { return s.blocks[i/blockSize][i%blockSize] }

// All goes through the sections in file order with their indexes.
func (s Sections) All() iter.Seq2[int, *Section] {
	return func(yield func(int, *Section) bool) {
		for i := range s.n {
			if !yield(i, s.At(i)) {
				return
			}
		}
	}
}

// with returns the sections with another one at an index.
func (s Sections) with(i int, section *Section) Sections {
	b := *s.blocks[i/blockSize]
	b[i%blockSize] = section
	s.blocks = slices.Clone(s.blocks)
	s.blocks[i/blockSize] = &b
	return s
}

// sharing returns the same sections, and shares the block around an index with others
// that are the same there.
func (s Sections) sharing(i int, o Sections) Sections {
	at := i / blockSize
	if at < len(o.blocks) && s.blocks[at] != o.blocks[at] && *s.blocks[at] == *o.blocks[at] {
		s.blocks = slices.Clone(s.blocks)
		s.blocks[at] = o.blocks[at]
	}
	return s
}

// differing goes through the indexes at which as many others are not the very same ones.
func (s Sections) differing(o Sections) iter.Seq[int] {
	return func(yield func(int) bool) {
		for at, b := range s.blocks {
			if b == o.blocks[at] {
				continue
			}
			for i := range b {
				if b[i] != o.blocks[at][i] && !yield(at*blockSize+i) {
					return
				}
			}
		}
	}
}

// equal reports whether others are the same in the sense of a function; the very same
// ones always are.
func (s Sections) equal(o Sections, same func(a, b *Section) bool) bool {
	if s.n != o.n {
		return false
	}
	for i := range s.differing(o) {
		if !same(s.At(i), o.At(i)) {
			return false
		}
	}
	return true
}
