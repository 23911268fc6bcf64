package web

import (
	"crypto/tls"
	"fmt"
	"os"
	"sync"
	"time"
)

// certificate is one that is kept in files, and read again when whoever renews it
// has written others.
type certificate struct {
	cert, key string // the files

	mu   sync.Mutex
	read time.Time // when cert was written that is held
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

// get implements tls.Config.GetCertificate. While files are being replaced, and
// do not fit together, it is the one before.
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
