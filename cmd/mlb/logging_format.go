package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.uber.org/zap/buffer"
	"go.uber.org/zap/zapcore"
)

// textEncoder writes one entry as a line in the form of --log-format. Fields
// follow the message as JSON.
type textEncoder struct {
	zapcore.Encoder // turns the message and the fields into one text

	pieces []formatPiece
	pid    int
	pool   buffer.Pool
}

// newTextEncoder returns an encoder for a percent-style format.
func newTextEncoder(format string, pid int) textEncoder {
	message := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{
		MessageKey:       "message",
		SkipLineEnding:   true,
		ConsoleSeparator: " ",
		EncodeTime:       zapcore.RFC3339NanoTimeEncoder,
		EncodeDuration:   zapcore.StringDurationEncoder,
	})
	return textEncoder{Encoder: message, pieces: parseFormat(format), pid: pid, pool: buffer.NewPool()}
}

// Clone returns an encoder that can be given more fields.
func (e textEncoder) Clone() zapcore.Encoder {
	e.Encoder = e.Encoder.Clone()
	return e
}

// EncodeEntry returns the line for one entry.
func (e textEncoder) EncodeEntry(entry zapcore.Entry, fields []zapcore.Field) (*buffer.Buffer, error) {
	message, err := e.Encoder.EncodeEntry(entry, fields)
	if err != nil {
		return nil, err
	}
	defer message.Free()
	line := e.pool.Get()
	for _, p := range e.pieces {
		line.AppendString(p.literal)
		switch p.name {
		case "asctime":
			line.AppendString(p.layOut(entry.Time.Format("2006-01-02 15:04:05,000")))
		case "name":
			line.AppendString(p.layOut(entry.LoggerName))
		case "levelname":
			line.AppendString(p.layOut(levelName(entry.Level)))
		case "message":
			line.AppendString(p.layOut(message.String()))
		case "process":
			line.AppendString(p.layOut(strconv.Itoa(e.pid)))
		}
	}
	line.AppendByte('\n')
	return line, nil
}

// formatPiece is a literal text, followed by one field of the record unless name
// is empty.
type formatPiece struct {
	literal   string
	name      string
	left      bool // pad on the right
	zero      bool // pad a number with zeros
	width     int
	precision int // longest text; negative: no limit
}

// widest bounds width and precision, so that no format makes lines endless.
const widest = 1000

// parseFormat reads Python's percent style: %(name)s with flags, width and
// precision for the five fields of D7, and %% for a percent sign. Everything
// else is literal.
func parseFormat(format string) []formatPiece {
	// Groups: field name, flags, width, precision with its dot, conversion.
	field := regexp.MustCompile(`%%|%\((asctime|name|levelname|message|process)\)([-+ 0#]*)(\d*)(\.\d*)?([sd])`)
	var pieces []formatPiece
	var literal strings.Builder
	end := 0
	for _, at := range field.FindAllStringSubmatchIndex(format, -1) {
		literal.WriteString(format[end:at[0]])
		end = at[1]
		group := func(i int) string {
			if at[2*i] < 0 {
				return ""
			}
			return format[at[2*i]:at[2*i+1]]
		}
		switch {
		case group(0) == "%%":
			literal.WriteByte('%')
			continue
		case group(5) == "d" && group(1) != "process":
			literal.WriteString(group(0)) // a text is no number
			continue
		}
		piece := formatPiece{
			literal: literal.String(), name: group(1),
			left:      strings.Contains(group(2), "-"),
			zero:      strings.Contains(group(2), "0") && group(5) == "d",
			precision: -1,
		}
		piece.width = bounded(group(3))
		if group(5) == "s" && group(4) != "" {
			piece.precision = bounded(group(4)[1:])
		}
		pieces = append(pieces, piece)
		literal.Reset()
	}
	literal.WriteString(format[end:])
	return append(pieces, formatPiece{literal: literal.String()})
}

// bounded reads digits; none at all are 0.
func bounded(digits string) int {
	if digits == "" {
		return 0
	}
	number, err := strconv.Atoi(digits)
	if err != nil {
		return widest
	}
	return min(number, widest)
}

// layOut cuts and pads one field, counting characters.
func (p formatPiece) layOut(field string) string {
	if p.precision >= 0 && utf8.RuneCountInString(field) > p.precision {
		field = string([]rune(field)[:p.precision])
	}
	switch {
	case p.width == 0:
		return field
	case p.left:
		return fmt.Sprintf("%-*s", p.width, field)
	case p.zero:
		return strings.Repeat("0", max(0, p.width-len(field))) + field
	default:
		return fmt.Sprintf("%*s", p.width, field)
	}
}
