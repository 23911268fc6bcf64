package web

import (
	"crypto/tls"
	"net/netip"
	"strings"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// tlsConfig returns the TLS configuration: with the certificate from files, with one
// issued over ACME, or nil for plain HTTP.
func (c Config) tlsConfig() (*tls.Config, error) {
	switch {
	case c.TLSCert != "":
		pair, err := newCertificate(c.TLSCert, c.TLSKey)
		if err != nil {
			return nil, err
		}
		return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}, nil
	case len(c.AutocertHosts) > 0:
		manager := autocert.Manager{
			Prompt:     autocert.AcceptTOS,
			Cache:      autocert.DirCache(c.AutocertDir),
			HostPolicy: autocert.HostWhitelist(c.AutocertHosts...),
			Client:     &acme.Client{DirectoryURL: c.AutocertURL},
		}
		settings := manager.TLSConfig()
		settings.MinVersion = tls.VersionTLS12
		return settings, nil
	}
	return nil, nil
}

// obtainCertificates requests the certificates in advance, so that the first client
// does not wait, and logs errors.
func (a *App) obtainCertificates(settings *tls.Config) {
	for _, host := range a.Config.AutocertHosts {
		_, err := settings.GetCertificate(&tls.ClientHelloInfo{
			ServerName: host, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		})
		if err != nil {
			a.Log.Error("no certificate", "host", host, "error", err)
			continue
		}
		a.Log.Info("certificate is there", "host", host)
	}
}

// isDomain reports whether a certificate authority may issue certificates for name.
func isDomain(name string) bool {
	_, err := netip.ParseAddr(name)
	return err != nil && hostName.MatchString(name) && strings.Contains(name, ".") && !strings.Contains(name, "_")
}
