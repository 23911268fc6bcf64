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

// Link returns the query that lets its bearer read a file as the user who created the
// link, until the given time (to the second): "by=...&expires=...&signature=...". It is
// signed with HMAC-SHA256.
func (l *Library) Link(name string, userID int64, until time.Time) string {
	expires := until.Unix()
	return fmt.Sprintf("by=%d&expires=%d&signature=%s", userID, expires, base64.RawURLEncoding.EncodeToString(l.sign(name, userID, expires)))
}

// Linked returns the user who created the link to name in query; false if there is none
// or it has expired. Read the file as that user, so that the link ends when they may no
// longer read it.
func (l *Library) Linked(name string, query url.Values, now time.Time) (userID int64, ok bool) {
	userID, err := strconv.ParseInt(query.Get("by"), 10, 64)
	if err != nil {
		return 0, false
	}
	expires, err := strconv.ParseInt(query.Get("expires"), 10, 64)
	if err != nil || now.Unix() >= expires {
		return 0, false
	}
	signature, err := base64.RawURLEncoding.Strict().DecodeString(query.Get("signature"))
	if err != nil || !hmac.Equal(signature, l.sign(name, userID, expires)) {
		return 0, false
	}
	return userID, true
}

func (l *Library) sign(name string, userID, expires int64) []byte {
	mac := hmac.New(sha256.New, l.key)
	fmt.Fprintf(mac, "%d %d %s", userID, expires, name)
	return mac.Sum(nil)
}
