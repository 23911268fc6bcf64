package web

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is loaded from files, and reloaded when they are renewed.
type certificate struct {
	cert, key string // the files

	mu   sync.Mutex
	read time.Time // modification time of the loaded certificate file
	held *tls.Certificate
}

// newCertificate reads the files.
func newCertificate(cert, key string) (*certificate, error) {
	c := &certificate{cert: cert, key: key}
	if _, err := c.get(nil); err != nil {
		return nil, fmt.Errorf("the certificate cannot be used: %w\n  where: TLS_CERT, TLS_KEY\n  try:   the files of a certificate chain and of its key, in PEM", err)
	}
	return c, nil
}

// get implements tls.Config.GetCertificate. It keeps the previous certificate while
// the files are being replaced and do not match.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.cert)
	if err == nil && info.ModTime().Equal(c.read) {
		return c.held, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.cert, c.key)
	}
	switch {
	case err == nil:
		c.held, c.read = &pair, info.ModTime()
	case c.held == nil:
		return nil, err
	}
	return c.held, nil
}
