package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// TestAutocert obtains a certificate from Pebble, the test server of Let's Encrypt: the
// name is verified by tls-alpn-01, clients trust the certificate, a restart reuses it, and
// other names get none.
func TestAutocert(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs an ACME server")
	}
	t.Parallel()
	b := newBlog(t)
	addr := freeAddr(t)
	authority := newPebble(t, addr)
	b.env = append(b.env, "ADDR="+addr, "TLS_AUTOCERT_HOSTS=shop.example.com", "TLS_AUTOCERT_URL="+authority.directory,
		"TLS_AUTOCERT_DIR=tls", "SSL_CERT_FILE="+authority.ca, "SSL_CERT_DIR="+t.TempDir())
	serve := func() *server {
		s := b.start()
		eventually(t, time.Minute, "certificate", func() bool { return strings.Contains(s.log.String(), "certificate is there") })
		return s
	}
	s := serve()
	ask := func(name string) (*tls.ConnectionState, error) {
		dialer := tls.Dialer{Config: &tls.Config{ServerName: name, RootCAs: authority.roots, NextProtos: []string{"h2"}}}
		connection, err := dialer.DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return nil, err
		}
		defer connection.Close()
		state := connection.(*tls.Conn).ConnectionState()
		return &state, nil
	}
	first, err := ask("shop.example.com")
	if err != nil {
		t.Fatal(err)
	}
	if first.NegotiatedProtocol != "h2" {
		t.Errorf("protocol %q", first.NegotiatedProtocol)
	}
	if _, err := ask("other.example.com"); err == nil {
		t.Error("no error for another name")
	}
	if out, problems, code := b.command("", "health"); code != 0 {
		t.Errorf("health: exit %d\n%s%s", code, out, problems)
	}
	entries, err := os.ReadDir(filepath.Join(b.dir, "tls"))
	if err != nil || len(entries) == 0 {
		t.Fatalf("no stored certificate: %v", err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is accessible to others: %v, %v", entry.Name(), info.Mode(), err)
		}
	}

	_ = s.process.Process.Kill()
	<-s.ended
	authority.stop()
	serve()
	second, err := ask("shop.example.com")
	if err != nil || !second.PeerCertificates[0].Equal(first.PeerCertificates[0]) {
		t.Errorf("certificate not reused after a restart: %v", err)
	}
}

// pebble is an ACME server.
type pebble struct {
	directory string
	ca        string         // certificate file of its own HTTPS
	roots     *x509.CertPool // CA of its certificates
	stop      func()
}

// newPebble starts an ACME server that resolves every name to this machine, with TLS at
// addr.
func newPebble(t *testing.T, addr string) pebble {
	t.Helper()
	dir := t.TempDir()
	exe := filepath.Join(dir, "pebble.exe")
	build := exec.Command("go", "build", "-o", exe, "github.com/letsencrypt/pebble/v2/cmd/pebble")
	build.Dir, build.Env = filepath.Join("testdata", "deploy"), append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("pebble: %v\n%s", err, out)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	p := pebble{ca: filepath.Join(dir, "ca.pem"), roots: x509.NewCertPool()}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	listen, manage := freeAddr(t), freeAddr(t)
	settings, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": manage, "certificate": p.ca, "privateKey": filepath.Join(dir, "key.pem"),
		"httpPort": 1, "tlsPort": json.Number(port),
		"profiles": map[string]any{"default": map[string]any{"description": "the usual", "validityPeriod": 7776000}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{
		"ca.pem": certificate, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), "pebble.json": settings,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	process := exec.Command(exe, "-config", filepath.Join(dir, "pebble.json"), "-dnsserver", newNames(t))
	process.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	process.Stdout, process.Stderr = log, log
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	p.stop = func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	}
	t.Cleanup(func() {
		p.stop()
		if output, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("pebble said:\n%s", output[max(0, len(output)-3000):])
		}
	})
	own := x509.NewCertPool()
	own.AppendCertsFromPEM(certificate)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: own}}}
	eventually(t, time.Minute, "pebble", func() bool {
		response, err := client.Get("https://" + manage + "/roots/0")
		if err != nil {
			return false
		}
		defer response.Body.Close()
		root, err := io.ReadAll(response.Body)
		return err == nil && p.roots.AppendCertsFromPEM(root)
	})
	p.directory = "https://" + listen + "/dir"
	return p
}

// newNames starts a name server that resolves every name to this machine.
func newNames(t *testing.T) string {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		packet := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(packet)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if err := m.Unpack(packet[:n]); err != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Additionals = true, nil
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Class: q.Class, Type: q.Type}, Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
				}}
			}
			if response, err := m.Pack(); err == nil {
				_, _ = server.WriteTo(response, from)
			}
		}
	}()
	return server.LocalAddr().String()
}

// freeAddr returns an unused address of this machine.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
