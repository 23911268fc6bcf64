package ws

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
)

// Protocol describes the WebSocket of a [Conversation], for [web.Route.Describe].
const Protocol = "A WebSocket. Browsers, which cannot set headers on it, send the access token as the first subprotocol: " +
	"bearer.<token>. Send {\"text\": \"hi\"}; every other member gets " +
	"{\"type\": \"message\", \"message\": \"hi\", \"from\": \"<username>\"}, and {\"type\": \"system\", " +
	"\"message\": \"User joined\"} or \"User left\" when a member joins or leaves."

// Incoming is a message sent by a member of a [Conversation]; either field may be used.
type Incoming struct {
	Text    string `json:"text"`
	Message string `json:"message"`
}

// Event is sent to the other members of a [Conversation].
type Event struct {
	Type    string `json:"type" schema:"oneof=message system"`
	Message string `json:"message"`
	From    string `json:"from,omitempty"` // name of the sender; empty for the type system
}

// Conversation returns the options of a member of a chat room: an [Incoming] is sent to
// the other members as an [Event], as is a notification when a member joins or leaves.
// Other text is ignored. Override fields of the result for a room that does more, such
// as Text to store messages.
func Conversation(name string, recheck func(context.Context) error) Options {
	return Options{
		Name:    name,
		Recheck: recheck,
		Joined:  func(m *Member) { _ = m.Announce(Event{Type: "system", Message: "User joined"}) },
		Left:    func(m *Member) { _ = m.Announce(Event{Type: "system", Message: "User left"}) },
		Text:    relay,
	}
}

// relay relays a message to the other members and ignores anything else.
func relay(m *Member, text []byte) {
	var in Incoming
	if json.Unmarshal(text, &in) != nil {
		return
	}
	message := cmp.Or(in.Text, in.Message)
	if strings.TrimSpace(message) == "" {
		return
	}
	_ = m.Broadcast(Event{Type: "message", Message: message, From: m.Name()})
}
