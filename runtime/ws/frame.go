package ws

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

// encode returns a single unfragmented frame from the server, which is not masked (RFC
// 6455, 5.2).
func encode(opcode int, payload []byte) []byte {
	frame := make([]byte, 0, 10+len(payload))
	frame = append(frame, 0x80|byte(opcode))
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, byte(n))
	case n < 1<<16:
		frame = append(frame, 126)
		frame = binary.BigEndian.AppendUint16(frame, uint16(n)) // #nosec G115 -- below 1<<16
	default:
		frame = append(frame, 127)
		frame = binary.BigEndian.AppendUint64(frame, uint64(n))
	}
	return append(frame, payload...)
}

// text returns the payload of a text frame for v: strings and bytes as they are,
// anything else as JSON.
func text(v any) ([]byte, error) {
	var payload []byte
	switch v := v.(type) {
	case string:
		payload = []byte(v)
	case []byte:
		payload = v
	default:
		var err error
		if payload, err = json.Marshal(v); err != nil {
			return nil, fmt.Errorf("ws: %w", err)
		}
	}
	if !utf8.Valid(payload) { // clients would have to close the connection (RFC 6455, 8.1)
		return nil, fmt.Errorf("ws: a text of %d bytes is not UTF-8", len(payload))
	}
	return payload, nil
}

// closeFrame returns a close frame; with code 0 it has no body.
func closeFrame(code int, reason string) []byte {
	if code == 0 || code == websocket.CloseNoStatusReceived {
		return encode(websocket.CloseMessage, nil)
	}
	return encode(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason))
}
