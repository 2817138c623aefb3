package marathon_test

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mlb/discovery/marathon"
)

// frame is one event or heartbeat as it was on the wire, and what Marathon answered at
// that moment.
type frame struct {
	Offset, Length, Connection int
	// Event is the type of the event; empty for a heartbeat and for the end of a
	// connection, which has no bytes.
	Event string
	// APINow is the file that /v2/apps answers with.
	APINow string `json:"api_now"`

	bytes []byte
	list  []byte
	apps  []marathon.App
}

// recording reads the frames of a recorded cluster's life.
func recording(t *testing.T, generation string) []frame {
	t.Helper()
	folder := filepath.Join("testdata", "events")
	read := func(name string) []byte {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	var index struct{ Entries []frame }
	if err := json.Unmarshal(read("lifecycle-v"+generation+".index.json"), &index); err != nil {
		t.Fatal(err)
	}
	stream := read("lifecycle-v" + generation + ".sse")
	for i := range index.Entries {
		f := &index.Entries[i]
		f.bytes, f.list = stream[f.Offset:f.Offset+f.Length], read(f.APINow)
		f.apps = readApps(t, "events/"+f.APINow)
	}
	if last := index.Entries[len(index.Entries)-1]; last.Connection != 2 || last.Offset+last.Length != len(stream) {
		t.Fatalf("the index ends with %d+%d of connection %d, the stream has %d bytes", last.Offset, last.Length, last.Connection, len(stream))
	}
	return index.Entries
}

// player is a cluster of two masters that says what a recording says. The second leads
// from the second connection on.
type player struct {
	masters [2]*rawMaster
	// pieces are what is written next on each connection; closing one ends it.
	pieces [2]chan []byte
	// done is closed when the test is over.
	done <-chan struct{}

	mu      sync.Mutex
	leading int
	now     frame
}

func newPlayer(t *testing.T, first frame) *player {
	t.Helper()
	p := &player{now: first, done: t.Context().Done()}
	for i := range p.masters {
		p.pieces[i] = make(chan []byte)
		p.masters[i] = newMaster(t, func(conn *net.TCPConn, req *http.Request) { p.answer(i, conn, req) })
	}
	return p
}

// answer answers one request as the i-th master. A standby passes on all but events.
func (p *player) answer(i int, conn *net.TCPConn, req *http.Request) {
	p.mu.Lock()
	leading, now := p.leading, p.now
	p.mu.Unlock()
	id, single := strings.CutPrefix(req.URL.Path, "/v2/apps/")
	switch {
	case req.URL.Path == "/v2/events" && i != leading:
		answers(http.StatusServiceUnavailable, "Content-Type: text/html\r\n", "Could not determine the current leader")(conn, req)
	case req.URL.Path == "/v2/events":
		p.stream(i, conn)
	case req.URL.Path == "/v2/leader":
		answers(http.StatusOK, jsonType, fmt.Sprintf(`{"leader":%q}`, strings.TrimPrefix(p.masters[leading].url, "http://")))(conn, req)
	case req.URL.Path == "/v2/apps":
		answers(http.StatusOK, jsonType, string(now.list))(conn, req)
	case single:
		answerApp(now.list, "/"+id)(conn, req)
	}
}

// answerApp answers with one app of a list.
func answerApp(list []byte, id string) wire {
	var all struct{ Apps []json.RawMessage }
	if err := json.Unmarshal(list, &all); err != nil {
		return answers(http.StatusInternalServerError, "", err.Error())
	}
	at := slices.IndexFunc(all.Apps, func(document json.RawMessage) bool {
		var app struct{ ID string }
		return json.Unmarshal(document, &app) == nil && app.ID == id
	})
	if at < 0 {
		return answers(http.StatusNotFound, jsonType, fmt.Sprintf(`{"message":"App '%s' does not exist"}`, id))
	}
	return answers(http.StatusOK, jsonType, `{"app":`+string(all.Apps[at])+`}`)
}

// stream writes the pieces of a connection until there are no more.
func (p *player) stream(i int, conn io.Writer) {
	if _, err := io.WriteString(conn, streamHead); err != nil {
		return
	}
	for {
		select {
		case <-p.done:
			return
		case piece, more := <-p.pieces[i]:
			if !more {
				return
			}
			if _, err := conn.Write(piece); err != nil {
				return
			}
		}
	}
}

// play brings the masters to a frame and writes its bytes, cut at random.
func (p *player) play(t *testing.T, f frame, random *rand.Rand) {
	t.Helper()
	p.mu.Lock()
	p.now, p.leading = f, f.Connection-1
	p.mu.Unlock()
	to := p.pieces[f.Connection-1]
	if f.Length == 0 {
		close(to)
		return
	}
	for rest := f.bytes; len(rest) > 0; {
		n := 1 + random.IntN(len(rest))
		select {
		case to <- rest[:n]:
		case <-p.done:
			t.Fatal("the stream was not read to its end")
		}
		rest = rest[n:]
	}
}
