// Package ws keeps rooms of WebSocket connections (RFC 6455): members join and
// leave, and what one of them broadcasts reaches every other in order.
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
// What a handler or a job has to tell a room goes through Hub.Broadcast. A feed of the
// rows of a resource is a hub of its own in the resource's module:
//
//	h.hub.Broadcast("appointments", appointment) // after the transaction
//
// Reading order: ws.go (Hub and its limits), join.go (the handshake), member.go, room.go,
// frame.go, run.go (the end of members and of the process), redis.go; conversation.go is what rooms
// for people have in common.
//
// # How messages travel
//
// A frame is encoded once for all members of a room and put by reference into
// each one's queue. A member's queue is written by one goroutine, which exists
// only while there is something to write and hands everything that is waiting
// to the kernel in one call. So a busy room costs one system call for many
// messages, an idle connection costs one goroutine and a kilobyte of buffer,
// and nobody ever waits for a member that does not read: when its queue is
// full it is dropped.
//
// With a Redis URL, members on different replicas share rooms: a replica
// subscribes to the channels of the rooms that have members here. What is said
// while Redis is away stays within a replica; nothing else changes.
package ws
