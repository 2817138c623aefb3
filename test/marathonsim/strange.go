package marathonsim

import "bytes"

// unheardOf is a member that no client knows, with a comma behind it.
const unheardOf = `"unheardOf":{"of":[null,1.5,{"data: ":"\\r\\n"}]},`

// strange adds unknown members to a document: to itself, if it is an object, and to
// everything in it that has an id.
func strange(document []byte) []byte {
	document = bytes.ReplaceAll(document, []byte(`{"id":`), []byte(`{`+unheardOf+`"id":`))
	if rest, ok := bytes.CutPrefix(document, []byte(`{"`)); ok {
		return append([]byte(`{`+unheardOf+`"`), rest...)
	}
	return document
}

// strangeFrame is the frame of an event after one of a type that no client knows,
// and with unknown members.
func strangeFrame(b []byte) []byte {
	head, data, ok := bytes.Cut(b, []byte("\r\ndata: "))
	if !ok {
		return b
	}
	out := frame("unheard_of_event", []byte(`{"appId":7,"eventType":"unheard_of_event"}`))
	out = append(out, head...)
	out = append(out, "\r\ndata: "...)
	return append(out, strange(data)...)
}
