package files

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Link returns the query that lets whoever has it read a file until the given
// time, to the second: "expires=...&signature=...". It is signed with
// HMAC-SHA256.
func (l *Library) Link(name string, until time.Time) string {
	expires := until.Unix()
	return fmt.Sprintf("expires=%d&signature=%s", expires, base64.RawURLEncoding.EncodeToString(l.sign(name, expires)))
}

// Linked says whether query holds a link to name that has not expired.
func (l *Library) Linked(name string, query url.Values, now time.Time) bool {
	expires, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	if err != nil || now.Unix() >= expires {
		return false
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(query.Get("signature"))
	return err == nil && hmac.Equal(signature, l.sign(name, expires))
}

func (l *Library) sign(name string, expires int64) []byte {
	mac := hmac.New(sha256.New, l.key)
	fmt.Fprintf(mac, "%d %s", expires, name)
	return mac.Sum(nil)
}
