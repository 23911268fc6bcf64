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

// Incoming is what a member of a [Conversation] sends; either field will do.
type Incoming struct {
	Text    string `json:"text"`
	Message string `json:"message"`
}

// Event is what the other members of a [Conversation] get.
type Event struct {
	Type    string `json:"type" schema:"oneof=message system"`
	Message string `json:"message"`
	From    string `json:"from,omitempty"` // the name of who sent it; empty for the type system
}

// Conversation returns the options of a member of a room in which all talk to each
// other: an [Incoming] reaches the others as an [Event], and so does the news that a
// member has joined or left. Any other text is ignored. Set the fields of what it
// returns for a room that does more, such as Text for one that stores messages.
func Conversation(name string, recheck func(context.Context) error) Options {
	return Options{
		Name:    name,
		Recheck: recheck,
		Joined:  func(m *Member) { _ = m.Announce(Event{Type: "system", Message: "User joined"}) },
		Left:    func(m *Member) { _ = m.Announce(Event{Type: "system", Message: "User left"}) },
		Text:    pass,
	}
}

// pass passes a message on to the other members, and ignores what is not one.
func pass(m *Member, text []byte) {
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
