package files

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Store keeps objects by name. Names are those that NewName makes; every
// other name is one that does not exist, so no name reaches outside the store.
type Store interface {
	// Put stores what r yields, all or nothing: when r or the store fails,
	// nothing is left under name.
	Put(ctx context.Context, name string, r io.Reader) error
	// Open reads an object, from any position. The error of an absent one is
	// fs.ErrNotExist.
	Open(ctx context.Context, name string) (io.ReadSeekCloser, error)
	// Delete removes an object; that it was absent is no error.
	Delete(ctx context.Context, name string) error
	// Each calls visit for every object that was complete before the given
	// time, until visit fails.
	Each(ctx context.Context, before time.Time, visit func(name string) error) error
	// Clean removes what interrupted Puts left behind before the given time.
	Clean(ctx context.Context, before time.Time) error
	// Ready says whether the store can be used now.
	Ready(ctx context.Context) error
}

// OpenStore opens the store at a URL:
//
//	file:data/files                          a directory, made by the first Put
//	s3://key:secret@host:port/bucket/prefix  a bucket, which must exist
//
// The prefix is optional. The S3 form takes the parameters region (default
// us-east-1) and tls (on or off, default on). Nothing is sent over the network
// yet; Ready does that.
func OpenStore(address string) (Store, error) {
	scheme, rest, _ := strings.Cut(address, ":")
	switch scheme {
	case "file":
		if rest == "" {
			return nil, urlError(address, "no directory")
		}
		return openLocal(strings.TrimPrefix(rest, "//"))
	case "s3":
		u, err := url.Parse(address)
		if err != nil {
			return nil, urlError(address, "not a URL")
		}
		return openS3(u)
	}
	return nil, urlError(address, "unknown kind of store")
}

// urlError is the three-part error of a setting; it never shows the secret
// that the address may hold.
func urlError(address, what string) error {
	shown := address
	if u, err := url.Parse(address); err == nil {
		shown = u.Redacted()
	} else if scheme, _, ok := strings.Cut(address, ":"); ok {
		shown = scheme + ":..."
	}
	return fmt.Errorf("FILES_URL: %s: %s\n  kinds: %s\n  try:   FILES_URL=file:data/files", what, shown, kinds)
}

const kinds = "file:DIR  s3://KEY:SECRET@HOST:PORT/BUCKET?region=R&tls=off"

var nameForm = regexp.MustCompile(`^[a-z2-7]{26}(\.[a-z0-9]{1,8})?$`)

// NewName makes a name that cannot be guessed, of 128 random bits, with an
// extension such as ".png". An extension that is not a dot and one to eight
// lower-case letters or digits is left out.
func NewName(extension string) string {
	id := strings.ToLower(rand.Text())
	if name := id + extension; nameForm.MatchString(name) {
		return name
	}
	return id
}

// ValidName says whether NewName could have made the name.
func ValidName(name string) bool { return nameForm.MatchString(name) }
