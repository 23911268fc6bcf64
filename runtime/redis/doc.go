// Package redis shares the rate limit between the replicas of an application.
// WebSocket rooms are shared by package ws.
//
// All code is in redis.go.
package redis
