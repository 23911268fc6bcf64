package apply

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/nexios-go/nexios/scaffold/problem"
)

// keyFile contains a key of the user, in their configuration folder.
const keyFile = "nexios/journal.key"

// signature authenticates a step as written by this user in this folder. A journal that
// came with a project, for example in an archive, has no valid signature: applying it
// would write whatever it contains.
func (d *disk) signature(seq int, step []byte) ([]byte, error) {
	if d.key == nil {
		var err error
		if d.key, err = userKey(); err != nil {
			return nil, problem.Failed(fmt.Errorf("no key to sign the journal with: %w", err), "set XDG_CONFIG_HOME to a folder of yours")
		}
	}
	mac := hmac.New(sha256.New, d.key)
	fmt.Fprintf(mac, "nexios journal\x00%s\x00%d\x00", d.dir, seq)
	mac.Write(step)
	return mac.Sum(nil), nil
}

// userKey reads the user's key, and creates it the first time.
func userKey() ([]byte, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, err
	}
	name := filepath.Join(dir, filepath.FromSlash(keyFile))
	key, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(name); err != nil {
			return nil, err
		}
		key, err = os.ReadFile(name)
	}
	if err == nil && len(key) != sha256.Size {
		err = &problem.Error{Kind: problem.Failure, What: name + " is damaged", Try: "delete that file; earlier commands can then no longer be undone"}
	}
	return key, err
}

// makeKey writes a new key, unless another command has just written one.
func makeKey(name string) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key)                                   // never fails since Go 1.24
	file, err := os.CreateTemp(filepath.Dir(name), "*.tmp") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(key)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Link(file.Name(), name); err == nil || errors.Is(err, fs.ErrExist) {
		return nil
	}
	return os.Rename(file.Name(), name) // a file system without hard links
}
