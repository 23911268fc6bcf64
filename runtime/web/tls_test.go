package web_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// writeCertificate writes a certificate for name, modified that many minutes ago.
func writeCertificate(t *testing.T, c web.Config, name string, minutes int) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{c.TLSKey: {Type: "PRIVATE KEY", Bytes: private}, c.TLSCert: {Type: "CERTIFICATE", Bytes: der}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	written := time.Now().Add(-time.Duration(minutes) * time.Minute)
	if err := os.Chtimes(c.TLSCert, written, written); err != nil {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	c := web.Config{Env: web.Test, TLSCert: filepath.Join(dir, "app.crt"), TLSKey: filepath.Join(dir, "app.key")}
	if err := (web.Config{Env: web.Test, TLSCert: c.TLSCert}).Validate(); err == nil || !strings.Contains(err.Error(), "TLS_KEY") {
		t.Errorf("a certificate without a key: %v", err)
	}
	none := runWith(t, c)
	if err := none.wait(t); err == nil || !strings.Contains(err.Error(), "TLS_CERT") || !strings.Contains(err.Error(), "try:") {
		t.Errorf("without the files: %v", err)
	}
	writeCertificate(t, c, "first.example", 2)
	r := runWith(t, c, web.Module{Name: "one", Routes: []web.Route{
		web.Get("/one", func(c *gin.Context, _ web.None) (string, error) { return c.Request.Proto, nil }),
	}})
	// ask sends a request on a new connection, and returns the certificate's name and
	// the protocol.
	ask := func() (name, protocol string) {
		t.Helper()
		client := http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		}}
		answer, err := client.Get("https://" + r.addr + "/one")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK || answer.Header.Get("Strict-Transport-Security") == "" {
			t.Errorf("HTTPS: status %s, headers %v", answer.Status, answer.Header)
		}
		return answer.TLS.PeerCertificates[0].Subject.CommonName, answer.Proto
	}
	if name, protocol := ask(); name != "first.example" || protocol != "HTTP/2.0" {
		t.Errorf("certificate %s, protocol %s", name, protocol)
	}
	writeCertificate(t, c, "second.example", 1)
	if name, _ := ask(); name != "second.example" {
		t.Errorf("certificate after renewal: %s", name)
	}
	if err := os.WriteFile(c.TLSCert, []byte("half"), 0o600); err != nil { // modified now
		t.Fatal(err)
	}
	if name, _ := ask(); name != "second.example" {
		t.Errorf("certificate while files are replaced: %s", name)
	}
	if out, err := health(t, web.Config{Env: web.Test, Addr: r.addr, TLSCert: c.TLSCert, TLSKey: c.TLSKey}); err != nil || out != "{\"status\":\"ready\"}\n" {
		t.Errorf("health: %q, %v", out, err)
	}
}

// health runs the health command and returns its output.
func health(t *testing.T, c web.Config, args ...string) (string, error) {
	t.Helper()
	app, err := web.New(c, discard())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, one := range web.Commands(app) {
		if one.Name == "health" {
			err = one.Run(t.Context(), command.IO{Args: args, Stdout: &out})
		}
	}
	return out.String(), err
}

func TestHealthCommand(t *testing.T) {
	ill := make(chan error, 1)
	ill <- nil
	r := run(t, web.Module{Name: "store", Ready: func(ctx context.Context) error {
		err := <-ill
		ill <- err
		return err
	}})
	_, port, _ := strings.Cut(r.addr, ":")
	for _, addr := range []string{r.addr, "0.0.0.0:" + port, ":" + port} {
		if out, err := health(t, web.Config{Env: web.Test, Addr: addr}); err != nil || out != "{\"status\":\"ready\"}\n" {
			t.Errorf("%s: %q, %v", addr, out, err)
		}
	}
	if _, err := health(t, web.Config{Env: web.Test, Addr: r.addr}, "now"); command.ExitCode(err) != command.Misused {
		t.Errorf("with an argument: %v", err)
	}
	<-ill
	ill <- fault.Unavailable("gone", 0)
	if _, err := health(t, web.Config{Env: web.Test, Addr: r.addr}); command.ExitCode(err) != command.Failed || !strings.Contains(err.Error(), "store") {
		t.Errorf("not ready: %v", err)
	}
	r.stop()
	if err := r.wait(t); err != nil {
		t.Fatal(err)
	}
	if _, err := health(t, web.Config{Env: web.Test, Addr: r.addr}); command.ExitCode(err) != command.Failed || !strings.Contains(err.Error(), "try:") {
		t.Errorf("stopped server: %v", err)
	}
}
