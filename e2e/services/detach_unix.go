//go:build unix

package services

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// detach runs cmd in its own process group, so that Ctrl-C does not interrupt it, and as
// another user if one is given.
func detach(cmd *exec.Cmd, as *user.User) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if as != nil {
		uid, gid := ids(as)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
}

// give makes the server's directory owned by the user it runs as.
func (s *Server) give() error {
	if s.user == nil {
		return nil
	}
	uid, gid := ids(s.user)
	return os.Chown(s.dir, uid, gid)
}

// ids returns the numeric ids, which Unix guarantees for user.User.
func ids(u *user.User) (uid, gid int) {
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid
}
