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

// Store stores objects by name. Names are those returned by NewName; any other name
// does not exist, so that no name can reach outside the store.
type Store interface {
	// Put stores the content of r, all or nothing: if r or the store fails, nothing is
	// stored under name.
	Put(ctx context.Context, name string, r io.Reader) error
	// Open opens an object, for reading from any position. If it does not exist, the
	// error is fs.ErrNotExist.
	Open(ctx context.Context, name string) (io.ReadSeekCloser, error)
	// Delete deletes an object. It is not an error if it does not exist.
	Delete(ctx context.Context, name string) error
	// Each calls visit for every object completed before the given time, until visit
	// returns an error.
	Each(ctx context.Context, before time.Time, visit func(name string) error) error
	// Clean deletes what Puts interrupted before the given time have left.
	Clean(ctx context.Context, before time.Time) error
	// Ready returns an error if the store cannot be used at present.
	Ready(ctx context.Context) error
}

// OpenStore opens the store at a URL:
//
//	file:data/files                          a directory, made by the first Put
//	s3://key:secret@host:port/bucket/prefix  a bucket, which must exist
//
// The prefix is optional. The S3 form accepts the parameters region (default us-east-1)
// and tls (on or off, default on). OpenStore does not access the network; Ready does.
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

// urlError returns the error of a setting in three parts, without the secret that the
// address may contain.
func urlError(address, what string) error {
	redacted := address
	if u, err := url.Parse(address); err == nil {
		redacted = u.Redacted()
	} else if scheme, _, ok := strings.Cut(address, ":"); ok {
		redacted = scheme + ":..."
	}
	return fmt.Errorf("FILES_URL: %s: %s\n  kinds: %s\n  try:   FILES_URL=file:data/files", what, redacted, kinds)
}

const kinds = "file:DIR  s3://KEY:SECRET@HOST:PORT/BUCKET?region=R&tls=off"

var namePattern = regexp.MustCompile(`^[a-z2-7]{26}(\.[a-z0-9]{1,8})?$`)

// NewName returns an unguessable name of 128 random bits with an extension such as
// ".png". An extension other than a dot followed by one to eight lower-case letters or
// digits is omitted.
func NewName(extension string) string {
	id := strings.ToLower(rand.Text())
	if name := id + extension; namePattern.MatchString(name) {
		return name
	}
	return id
}

// ValidName reports whether name has the form of those returned by NewName.
func ValidName(name string) bool { return namePattern.MatchString(name) }
