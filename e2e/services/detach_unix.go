//go:build unix

package services

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// detach runs cmd in a process group of its own, so that the keyboard's
// interrupt does not reach it, and as another user when one is given.
func detach(cmd *exec.Cmd, as *user.User) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if as != nil {
		uid, gid := ids(as)
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
}

// give hands the server's directory to the user it runs as.
func (s *Server) give() error {
	if s.user == nil {
		return nil
	}
	uid, gid := ids(s.user)
	return os.Chown(s.dir, uid, gid)
}

// ids are numbers on Unix, by the contract of user.User.
func ids(u *user.User) (uid, gid int) {
	uid, _ = strconv.Atoi(u.Uid)
	gid, _ = strconv.Atoi(u.Gid)
	return uid, gid
}
