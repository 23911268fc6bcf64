// Package ws implements rooms of WebSocket connections (RFC 6455): members join and
// leave, and a message broadcast by one of them reaches all others in order.
//
//	hub := ws.New("chat", cfg, log)
//
//	func (h handler) join(c *gin.Context) {
//		who, _ := auth.From(c)
//		h.hub.Join(c, c.Param("room"), ws.Options{
//			Name:    who.Username,
//			Recheck: who.Recheck,
//			Text:    func(m *ws.Member, text []byte) { m.Broadcast(string(text)) },
//		})
//	}
//
// Handlers and jobs send to a room with Hub.Broadcast. For a feed of the rows of a
// resource, create a hub in the resource's module:
//
//	h.hub.Broadcast("appointments", appointment) // after the transaction
//
// Reading order: ws.go (Hub and its limits), join.go (the handshake), member.go,
// room.go, frame.go, run.go (rechecks and shutdown), redis.go; conversation.go holds
// the options of chat rooms.
//
// # Message delivery
//
// A frame is encoded once for all members of a room and appended by reference to the
// queue of each. A queue is written by one goroutine, which exists only while there is
// something to write and passes everything queued to the kernel in one call. So a busy
// room costs one system call for many messages, an idle connection costs one goroutine
// and a kilobyte of buffer, and no sender waits for a slow member: a member whose queue
// is full is dropped.
//
// With a Redis URL, members on different replicas share rooms: a replica subscribes to
// the channels of the rooms in which it has members. Messages sent while Redis is down
// stay within a replica; nothing else changes.
package ws
