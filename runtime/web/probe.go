package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/nexios-go/nexios/runtime/command"
)

// probeTimeout exceeds the time that the server itself may take.
const probeTimeout = readyTimeout + 2*time.Second

// healthCommand queries /readyz of the server with the same settings, for health
// checks in containers without other programs.
func (a *App) healthCommand(ctx context.Context, std command.IO) error {
	if len(std.Args) > 0 {
		return command.Usage("health takes no arguments\n  the address is a setting\n  try:   ADDR=127.0.0.1:8001")
	}
	kind, address, err := network(a.Config.Addr)
	if err != nil {
		return err
	}
	if kind == "tcp" {
		address = dialAddress(address)
	}
	scheme, transport := "http", &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, kind, address)
		},
	}
	if a.Config.TLSCert != "" || len(a.Config.AutocertHosts) > 0 {
		// The certificate is for a name other than localhost.
		scheme, transport.TLSClientConfig = "https", &tls.Config{InsecureSkipVerify: true} // #nosec G402 -- the request carries no secrets
	}
	if len(a.Config.AutocertHosts) > 0 {
		transport.TLSClientConfig.ServerName = a.Config.AutocertHosts[0]
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://localhost"+readyPath, nil)
	if err != nil {
		return err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return fmt.Errorf("nothing answers at %s: %w\n  where: ADDR\n  try:   serve", a.Config.Addr, errors.Unwrap(err))
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the server at %s is not ready: %s", a.Config.Addr, body)
	}
	_, err = fmt.Fprintln(std.Stdout, string(body))
	return err
}

// dialAddress returns the address at which to reach a server that listens on address.
func dialAddress(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return address
	}
	switch ip, err := netip.ParseAddr(host); {
	case host == "", err == nil && ip == netip.IPv4Unspecified():
		return net.JoinHostPort("127.0.0.1", port)
	case err == nil && ip == netip.IPv6Unspecified():
		return net.JoinHostPort("::1", port)
	}
	return address
}
