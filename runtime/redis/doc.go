// Package redis is what the replicas of an application share in a Redis besides
// WebSocket rooms: the rate limit.
//
// Everything is in redis.go.
package redis
