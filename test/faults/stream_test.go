package faults_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// soon is how often everything is read where nothing else can tell of a change.
const soon = 500 * time.Millisecond

// streams are faults of the event stream.
func streams() []row {
	rows := []row{
		{name: "the stream is refused", begin: answering(events, says(http.StatusServiceUnavailable, "text/html", page))},
		{name: "the stream is not allowed", begin: answering(events, says(http.StatusMethodNotAllowed, "text/html", page))},
		{name: "the stream is a page", begin: answering(events, says(http.StatusOK, "text/html", page))},
		{name: "the stream is not answered", begin: answering(events, hang)},
		{name: "the stream ends at once", begin: answering(events, func(x *exchange) {
			x.write(streamHead)
			x.over = true
		})},
		{name: "the stream has a head and nothing more", begin: answering(events, func(x *exchange) {
			x.write(streamHead)
			hang(x)
		})},
		{name: "the stream has heartbeats and never an event", begin: answering(events, func(x *exchange) {
			x.write(streamHead)
			x.trickle(strings.Repeat("\r\n", 1000), heartbeatInterval/2)
		})},
		{name: "the stream is redirected in a circle", begin: answering(events, redirects(func(x *exchange) string { return x.url + x.request.URL.RequestURI() }))},
		{name: "the stream comes in chunks", begin: answering(events, func(x *exchange) {
			x.follow("Transfer-Encoding: chunked\r\n", chunk)
		})},
		{name: "the stream comes in chunks, and every second one is cut", begin: answering(events, func(x *exchange) {
			n := 0
			x.follow("Transfer-Encoding: chunked\r\n", func(piece string) string {
				if n++; n%2 == 1 {
					return chunk(piece)
				}
				x.over = true
				return half(chunk(piece))
			})
		})},
		{name: "the stream falls silent", begin: framing(func(*following, string) {}), noticed: deaf},
		{name: "the stream has heartbeats and no events any more", resync: soon, begin: framing(exceptHeartbeats(func(*following, string) {}))},
		{name: "the stream is reset at an event", begin: framing(exceptHeartbeats(func(f *following, _ string) { reset(f.exchange) }))},
		{name: "the stream ends at an event", begin: framing(exceptHeartbeats(func(f *following, _ string) { f.stop() }))},
		{name: "the stream ends within an event", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			f.write(half(frame))
			f.stop()
		}))},
		{name: "the stream stops within an event", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			f.write(half(frame))
			hang(f.exchange)
		}))},
		{name: "one side of the stream is closed, and not the other", begin: framing(exceptHeartbeats(func(f *following, _ string) {
			_ = f.conn.CloseWrite()
			hang(f.exchange)
		}))},
		{name: "some events are lost", resync: soon, begin: framing(exceptHeartbeats(everySecond(func(*following, string) {})))},
		{name: "events are held back until there are many", resync: soon, begin: framing(func(f *following, frame string) {
			// As a proxy does that buffers. No heartbeat comes through either.
			if f.held = append(f.held, frame); len(f.held) == 40 {
				f.write(strings.Join(f.held, ""))
				f.held = nil
			}
		})},
		{name: "events come twice", begin: framing(func(f *following, frame string) { f.write(frame + frame) })},
		{name: "events come again much later", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			f.held = append(f.held, frame)
			f.write(frame + f.held[len(f.held)/2] + f.held[0])
		}))},
		{name: "events come in another order", begin: framing(func(f *following, frame string) {
			if f.held = append(f.held, frame); len(f.held) < 3 && !heartbeat(frame) {
				return
			}
			for i := range f.held {
				f.write(f.held[len(f.held)-1-i])
			}
			f.held = nil
		})},
		{name: "events are merged", begin: framing(func(f *following, frame string) {
			if !heartbeat(frame) {
				if f.held = append(f.held, frame); len(f.held) < 3 {
					return
				}
			}
			f.write(merged(f.held))
			f.held = nil
		})},
		{name: "events come in single bytes", begin: framing(func(f *following, frame string) {
			for i := range len(frame) {
				f.write(frame[i : i+1])
			}
		})},
		{name: "lines end with a line feed", begin: framing(func(f *following, frame string) {
			f.write(strings.ReplaceAll(frame, "\r\n", "\n"))
		})},
		{name: "lines end with a carriage return", begin: framing(func(f *following, frame string) {
			f.write(strings.ReplaceAll(frame, "\r\n", "\r"))
		})},
		{name: "documents of events are cut", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			line, _, _ := strings.Cut(frame, "\r\n")
			f.write(line + "\r\ndata: {\"eventType\":\"stat\r\n\r\n")
		}))},
		{name: "events have no line with their type", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			_, rest, _ := strings.Cut(frame, "\r\n")
			f.write(rest)
		}))},
		{name: "documents of events have no type", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			f.write(strings.ReplaceAll(frame, `"eventType"`, `"kind"`))
		}))},
		{name: "events have a head and members that nobody knows", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			f.write("id: 7\r\nretry: 1\r\n: remark\r\nfield\r\n" + strings.ReplaceAll(frame, `"eventType"`, `"new":{"apps":[null]},"eventType"`))
		}))},
		{name: "there are events of unknown types between", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			f.write("event: surprise_event\r\ndata: {\"eventType\":\"surprise_event\",\"appId\":7}\r\n\r\n" + frame)
		}))},
		{name: "there is noise between events", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			f.write("event: status_update_event\r\ndata: null\r\n\r\ndata\r\n\r\n\x00\xff\r\n\r\n" + frame)
		}))},
		{name: "events are larger than anything sensible", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			f.write("event: deployment_info\r\ndata: {\"eventType\":\"deployment_info\",\"plan\":{\"original\":\"" +
				strings.Repeat("x", maxEvent+1) + "\"}}\r\n\r\n" + frame)
		}))},
		{name: "events are large", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			f.write(strings.ReplaceAll(frame, `"eventType"`, `"original":"`+strings.Repeat("x", maxEvent/2)+`","eventType"`))
		}))},
		{name: "there are many events about others", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			var flood strings.Builder
			for i := range 500 {
				fmt.Fprintf(&flood, "event: status_update_event\r\ndata: {\"eventType\":\"status_update_event\",\"appId\":\"/other-%d\",\"taskId\":\"other-%d.x\",\"taskStatus\":\"TASK_KILLED\"}\r\n\r\n", i, i)
			}
			f.write(flood.String() + frame)
		}))},
		{name: "events tell of the end of tasks that nobody knows", begin: framing(exceptHeartbeats(func(f *following, frame string) {
			f.write("event: status_update_event\r\ndata: {\"eventType\":\"status_update_event\",\"appId\":\"/web\",\"taskId\":\"web.x\",\"taskStatus\":\"TASK_KILLED\"}\r\n\r\n" + frame)
		}))},
	}
	return rows
}

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream;charset=utf-8\r\nConnection: close\r\n\r\n"

// exceptHeartbeats passes on heartbeats and deals with events.
func exceptHeartbeats(how func(f *following, frame string)) func(f *following, frame string) {
	return func(f *following, frame string) {
		if heartbeat(frame) {
			f.write(frame)
			return
		}
		how(f, frame)
	}
}

// everySecond deals with every second event and passes on the others.
func everySecond(how func(f *following, frame string)) func(f *following, frame string) {
	return func(f *following, frame string) {
		if f.count++; f.count%2 == 0 {
			how(f, frame)
			return
		}
		f.write(frame)
	}
}

// merged makes one event of several: the first one's type and the data of all.
func merged(frames []string) string {
	var out strings.Builder
	for i, frame := range frames {
		head, data, _ := strings.Cut(frame, "\r\n")
		if i == 0 {
			out.WriteString(head + "\r\n")
		}
		out.WriteString(strings.TrimSuffix(data, "\r\n"))
	}
	return out.String() + "\r\n"
}

// once does something at the first event.
func once(do func()) func(f *following, frame string) {
	var first sync.Once
	return func(f *following, frame string) {
		first.Do(do)
		f.write(frame)
	}
}
