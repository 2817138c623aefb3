package faults_test

import (
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
	"time"
)

// bodyRows are faults of the bodies of answers about apps.
func bodyRows() []row {
	var rows []row
	for name, text := range map[string]string{
		"empty": "", "of blanks": " \r\n", "null": "null", "a list": "[]", "an object without apps": "{}",
		"apps that are null": `{"apps":null,"app":null}`, "apps that are a text": `{"apps":"many","app":"one"}`,
		"a message": `{"message":"There is no leader"}`, "a page": page, "pong": "pong", "half a list": `{"apps":[{"id":"/web"},`,
		"zero bytes": strings.Repeat("\x00", 500),
	} {
		rows = append(rows, row{name: "the body is " + name, begin: answering(apps, body(text))})
	}
	rows = append(rows, row{
		name: "bodies are there twice", begin: answering(apps, bodies(func(body string) string { return body + body })),
	})
	for name, how := range map[string]func(x *exchange, a answer){
		"bodies are cut by a reset": func(x *exchange, a answer) {
			x.write(a.head(len(a.body)) + half(a.body))
			reset(x)
		},
		"bodies are shorter than they say": func(x *exchange, a answer) {
			x.write(a.head(len(a.body)) + half(a.body))
			x.over = true
		},
		"bodies are longer than they say": func(x *exchange, a answer) {
			x.write(a.head(len(a.body)/2) + a.body)
			x.over = true
		},
		"bodies without a length are cut": func(x *exchange, a answer) {
			x.write(a.headWith("Connection: close\r\n") + half(a.body))
			x.over = true
		},
		"the last chunk does not come": func(x *exchange, a answer) {
			x.write(a.headWith("Transfer-Encoding: chunked\r\n") + chunk(half(a.body)))
			x.over = true
		},
		"chunks are cut": func(x *exchange, a answer) {
			x.write(a.headWith("Transfer-Encoding: chunked\r\n") + half(chunk(a.body)))
			x.over = true
		},
		"sizes of chunks are nonsense": func(x *exchange, a answer) {
			x.write(a.headWith("Transfer-Encoding: chunked\r\n") + "zz\r\n" + a.body + "\r\n0\r\n\r\n")
			x.over = true
		},
		"compressed bodies are cut": func(x *exchange, a answer) {
			x.encoded(a, "gzip", half(packed(a.body)))
		},
		"compressed bodies are broken within": func(x *exchange, a answer) {
			p := packed(a.body)
			x.encoded(a, "gzip", half(p)+strings.Repeat("\xff", len(p)-len(p)/2))
		},
		"compressed bodies have another checksum": func(x *exchange, a answer) {
			p := packed(a.body)
			sum := crc32.ChecksumIEEE([]byte(a.body)) + 1
			x.encoded(a, "gzip", p[:len(p)-8]+string([]byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24)})+p[len(p)-4:])
		},
		"bodies that are said to be compressed are not":        func(x *exchange, a answer) { x.encoded(a, "gzip", a.body) },
		"bodies are compressed in a way that nobody asked for": func(x *exchange, a answer) { x.encoded(a, "br", a.body) },
		"bodies unpack to more than anything sensible": func(x *exchange, a answer) {
			x.encoded(a, "gzip", packed(a.body[:len(a.body)-1]+strings.Repeat(" ", maxBody)+"}"))
		},
		"bodies stop within": func(x *exchange, a answer) {
			x.write(a.head(len(a.body)) + half(a.body))
			hang(x)
		},
		"bodies come byte by byte, for ever": func(x *exchange, a answer) {
			x.write(a.head(len(a.body) + 1))
			x.trickle(a.body, 20*time.Millisecond)
		},
	} {
		rows = append(rows, row{name: name, begin: answering(apps, spoils(how))})
	}
	return rows
}

func half(text string) string { return text[:len(text)/2] }

// chunk is one chunk of a body.
func chunk(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// encoded gives mlb an answer whose body has an encoding.
func (x *exchange) encoded(a answer, encoding, body string) {
	if a.header == nil {
		a.header = http.Header{}
	}
	a.header.Set("Content-Encoding", encoding)
	x.write(a.head(len(body)) + body)
}
