//go:build !unix

package services

import (
	"errors"
	"os/exec"
	"os/user"
)

func detach(*exec.Cmd, *user.User) {}

// give fails: the servers are run by a shell.
func (s *Server) give() error {
	return errors.New("servers for tests are started on Unix only")
}
