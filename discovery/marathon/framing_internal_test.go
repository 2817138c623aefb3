package marathon

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/r3labs/sse/v2"
)

// counting returns a function that counts heartbeats.
func counting(beats *int) func(bool) {
	return func(heartbeat bool) {
		if heartbeat {
			*beats++
		}
	}
}

// frames returns what passes through a frameReader, and the number of heartbeats.
func frames(t *testing.T, src io.Reader, limit int) (text string, beats int) {
	t.Helper()
	out, err := io.ReadAll(newFrameReader(src, limit, counting(&beats)))
	if err != nil {
		t.Fatal(err)
	}
	return string(out), beats
}

func TestFraming(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in, want string
		beats          int
	}{
		{"CR LF as Marathon writes it", "event: x\r\ndata: {}\r\n\r\n", "event: x\ndata: {}\n\n", 0},
		{"LF", "event: x\ndata: {}\n\n", "event: x\ndata: {}\n\n", 0},
		{"CR", "event: x\rdata: {}\r\r", "event: x\ndata: {}\n\n", 0},
		{"all mixed", "event: x\rdata: {}\r\n\n", "event: x\ndata: {}\n\n", 0},
		{"LF then CR LF", "data: 1\n\r\n", "data: 1\n\n", 0},
		{"two events", "data: 1\r\n\r\ndata: 2\r\n\r\n", "data: 1\n\ndata: 2\n\n", 0},
		{"a bare CR LF is one heartbeat", "\r\n\r\ndata: 1\r\n\r\n\r\n", "data: 1\n\n", 3},
		{"a bare CR is a heartbeat", "\r\r", "", 2},
		{"data on several lines", "data: {\ndata: }\n\n", "data: {\ndata: }\n\n", 0},
		{"documents without a field name", "data: {1}\r\n{2}\r\n\r\n", "data: {1}\ndata:{2}\n\n", 0},
		{"comments pass", ": hello\n\n", ": hello\n\n", 0},
		{"an event that was cut off is dropped", "data: 1\n\ndata: 2\n", "data: 1\n\n", 0},
		{"a line that was cut off is dropped", "data: 1\n\nevent: x\nda", "data: 1\n\n", 0},
		{"nothing", "", "", 0},
		{"an event of the limit passes", "data: 678901234567890\n\n", "data: 678901234567890\n\n", 0},
		{"an event above the limit keeps its type", "event: x\ndata: 67890123456789012\n\ndata: 1\n\n", "event: x\ndata:too long\n\ndata: 1\n\n", 0},
		{"data above the limit on many lines", "event: x\ndata: 1\ndata: 2345\ndata: 6789\nid: 7\n\ndata: 1\n\n", "event: x\ndata: 1\ndata:too long\n\ndata: 1\n\n", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for way, src := range map[string]io.Reader{
				"at once": strings.NewReader(tt.in),
				// One byte at a time parts every CR from its LF.
				"by the byte": iotest.OneByteReader(strings.NewReader(tt.in)),
				"with EOF":    iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				got, beats := frames(t, src, 21)
				if diff := cmp.Diff(tt.want, got); diff != "" || beats != tt.beats {
					t.Errorf("%s: %d heartbeats, want %d; text (-want +got):\n%s", way, beats, tt.beats, diff)
				}
			}
		})
	}
}

func TestAHeartbeatCountsBeforeItsLineFeedArrives(t *testing.T) {
	t.Parallel()
	in, out := io.Pipe()
	beats := make(chan struct{}, 4)
	done := make(chan string)
	go func() {
		text, _ := io.ReadAll(newFrameReader(in, 1000, func(heartbeat bool) {
			if heartbeat {
				beats <- struct{}{}
			}
		}))
		done <- string(text)
	}()
	for _, part := range []string{"\r", "\n", "data: 1\r\n\r", "\n", "\r"} {
		if _, err := out.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
		if part == "\r" {
			<-beats
		}
	}
	_ = out.Close()
	if got := <-done; got != "data: 1\n\n" || len(beats) != 0 {
		t.Errorf("got %q and %d more heartbeats", got, len(beats))
	}
}

func TestTheReadErrorComesAfterTheLastEvent(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	got, err := io.ReadAll(newFrameReader(io.MultiReader(strings.NewReader("data: 1\n\ndata"), iotest.ErrReader(broken)), 100, counting(new(int))))
	if !errors.Is(err, broken) || string(got) != "data: 1\n\n" {
		t.Errorf("got %q, error %v", got, err)
	}
}

// normal is the same as framing, written as a sentence about the whole text.
func normal(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	var out, event strings.Builder
	for {
		line, rest, whole := strings.Cut(text, "\n")
		if !whole {
			return out.String()
		}
		text = rest
		switch {
		case line != "":
			if line[0] == '{' {
				event.WriteString("data:")
			}
			event.WriteString(line + "\n")
		case event.Len() > 0:
			out.WriteString(event.String() + "\n")
			event.Reset()
		}
	}
}

// FuzzFraming: however the bytes are split, the text is the normal one, and the
// library reads every event of it.
func FuzzFraming(f *testing.F) {
	for _, seed := range []string{"event: x\r\ndata: {}\r\n\r\n\r\n", "data: 1\r\rdata: 2\n\n\r\n", "{\n{\r\n\n", "a\r"} {
		f.Add(seed, uint64(1))
	}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		src := &splitReader{rest: text, rand: rand.New(rand.NewPCG(seed, 0))}
		got, _ := frames(t, src, 1<<20)
		if diff := cmp.Diff(normal(text), got); diff != "" {
			t.Fatalf("text (-want +got):\n%s", diff)
		}
		events := sse.NewEventStreamReader(strings.NewReader(got), 1<<20)
		for range strings.Count(got, "\n\n") {
			if _, err := events.ReadEvent(); err != nil {
				t.Fatalf("library: %v", err)
			}
		}
		if _, err := events.ReadEvent(); !errors.Is(err, io.EOF) {
			t.Fatalf("library reads more events than there are: %v", err)
		}
	})
}

// splitReader returns a text in pieces of random size.
type splitReader struct {
	rest string
	rand *rand.Rand
}

func (r *splitReader) Read(p []byte) (int, error) {
	if r.rest == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1+r.rand.IntN(7))], r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// record is an entry of the index of a recorded stream.
type record struct {
	Offset, Length, Connection int
	Event                      string
	Heartbeat                  bool
	Closed                     bool `json:"connection_closed_by_server"`
}

func readRecords(t *testing.T, generation string) (stream []byte, records []record) {
	t.Helper()
	base := filepath.Join("testdata", "events", "lifecycle-v"+generation)
	stream, err := os.ReadFile(base + ".sse")
	if err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(base + ".index.json")
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Entries []record }
	if err = json.Unmarshal(index, &document); err != nil {
		t.Fatal(err)
	}
	return stream, document.Entries
}

func TestRecordedStreamsAreCutAsTheirIndexSays(t *testing.T) {
	t.Parallel()
	for _, generation := range []string{"0.11", "1.3", "1.4", "1.9"} {
		t.Run(generation, func(t *testing.T) {
			t.Parallel()
			stream, records := readRecords(t, generation)
			var want, got []string
			wantBeats, beats := 0, 0
			for _, r := range records {
				switch {
				case r.Heartbeat:
					wantBeats++
				case r.Event != "":
					want = append(want, r.Event)
				}
			}
			src := iotest.HalfReader(bytes.NewReader(stream))
			events := sse.NewEventStreamReader(newFrameReader(src, 1<<20, counting(&beats)), 1<<21)
			for {
				text, err := events.ReadEvent()
				if err != nil {
					break
				}
				kind, data, _ := strings.Cut(strings.TrimPrefix(string(text), "event: "), "\ndata: ")
				decoded, unreadable := decodeEvents([]byte(data))
				if len(decoded) != 1 || unreadable != 0 || decoded[0].Type != kind {
					t.Fatalf("event %d: read %+v and %d unreadable, want one of type %s", len(got), decoded, unreadable, kind)
				}
				got = append(got, kind)
			}
			if diff := cmp.Diff(want, got); diff != "" || beats != wantBeats {
				t.Errorf("%d heartbeats, want %d; events (-want +got):\n%s", beats, wantBeats, diff)
			}
		})
	}
}
