// Package mail sends messages with text and HTML parts over SMTP, or writes them to
// files during development, and renders them from templates.
//
// Reading order: config.go, mail.go (Message and Mailer), templates.go, preview.go
// (development mail in the browser).
package mail
