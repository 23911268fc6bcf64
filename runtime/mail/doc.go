// Package mail sends messages with a text and an HTML part over SMTP, or
// writes them to files while developing, and renders them from templates.
//
// Reading order: config.go, mail.go (Message and Mailer), templates.go, preview.go (the
// mail of development).
package mail
