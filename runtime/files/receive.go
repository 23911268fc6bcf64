package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/fault"
)

// Limits of an upload besides the size of a file.
const (
	MaxFiles = 20      // in one upload
	maxParts = 100     // files and other fields
	maxField = 1 << 20 // bytes of all that is not a file: headers and other fields
	maxName  = 1000    // characters of the original name; the rest is cut off
	sniffed  = 4096    // bytes that tell the type
	drained  = 32 << 20
)

// MaxBody is how large the body of an upload may be: for Route.Limit.
func (l *Library) MaxBody() int64 {
	return min(int64(l.cfg.Max), (1<<62)/MaxFiles)*MaxFiles + maxField
}

// Receive reads a multipart/form-data body (RFC 7578) and stores every file in
// it, all or none: when one of them is refused or the connection breaks,
// nothing stays. like says whose they are: its UserID, Private and Kept are
// copied. In a project without columns for files they are Kept anyway.
//
// Faults: 400 "No file uploaded", 400 "No filename", 400 for a body that ends
// early, 408 for one that comes too slowly, 413 for a file over Config.Max or
// more than MaxFiles, 415 for a type outside Config.Types. The type comes from
// the content, never from the name or the part's header.
//
// The route needs Limit(l.MaxBody()), and Within(-1) since an upload may take
// as long as it goes on: a client that sends less than 8 KiB a second is cut
// off after 30 seconds.
func (l *Library) Receive(c *gin.Context, like File) ([]File, error) {
	ctx := c.Request.Context()
	body := &paced{r: c.Request.Body, extend: extendBoth(c.Writer)}
	like.Kept = like.Kept || len(l.references) == 0
	stored, err := l.store(ctx, c.Request.Header.Get("Content-Type"), body, like)
	if err == nil {
		return stored, nil
	}
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	for _, file := range stored {
		err = errors.Join(err, l.Store.Delete(undo, file.Name))
	}
	// Many clients read the answer only when they have sent everything.
	_, _ = io.CopyN(io.Discard, body, drained)
	return nil, err
}

// store returns the files that are in the store, with an error also those that
// must leave it again.
func (l *Library) store(ctx context.Context, contentType string, body *paced, like File) ([]File, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "multipart/form-data" || params["boundary"] == "" {
		return nil, fault.BadRequest("No file uploaded")
	}
	// The parser takes the end of the body inside a header for the end of the
	// parts. Here the end is an error: only the closing boundary ends them. It
	// may lack its line end.
	parts := multipart.NewReader(io.MultiReader(body, strings.NewReader("\r\n"), cut{}), params["boundary"])
	var stored []File
	for count := 0; ; count++ {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) || err != nil && body.n == 0 {
			break
		}
		if err != nil {
			return stored, broken(err)
		}
		if count == maxParts {
			return stored, fault.TooLarge(fmt.Sprintf("Too many parts, at most %d", maxParts))
		}
		_, disposition, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
		if err != nil {
			return stored, fault.BadRequest("Malformed multipart body")
		}
		original, isFile := disposition["filename"]
		if !isFile {
			continue
		}
		if original = cleanName(original); original == "" {
			return stored, fault.BadRequest("No filename")
		}
		if len(stored) == MaxFiles {
			return stored, fault.TooLarge(fmt.Sprintf("Too many files, at most %d", MaxFiles))
		}
		file := like
		file.Original = original
		if err := l.put(ctx, &file, part); err != nil {
			return stored, err
		}
		stored = append(stored, file)
	}
	if len(stored) == 0 {
		return nil, fault.BadRequest("No file uploaded")
	}
	return stored, l.db.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		return tx.Create(&stored).Error
	})
}

// cut is the end of a body that came too early.
type cut struct{}

func (cut) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// put streams one part into the store and fills in what it learns on the way.
func (l *Library) put(ctx context.Context, file *File, part io.Reader) error {
	head := make([]byte, sniffed)
	n, err := io.ReadFull(part, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return broken(err)
	}
	head = head[:n]
	detected := mimetype.Detect(head)
	file.ContentType, _, _ = strings.Cut(detected.String(), ";")
	if !l.cfg.allows(file.ContentType) {
		return &fault.Error{Status: http.StatusUnsupportedMediaType, Message: "File type " + file.ContentType + " is not allowed"}
	}
	extension := ""
	if safe(file.ContentType) {
		extension = detected.Extension()
	}
	file.Name = NewName(extension)
	content := &measured{r: io.MultiReader(bytes.NewReader(head), part), max: int64(l.cfg.Max), sum: sha256.New()}
	if err := l.Store.Put(ctx, file.Name, content); err != nil {
		if content.err != nil {
			err = content.err
		}
		return err
	}
	file.Size = content.n
	file.SHA256 = hex.EncodeToString(content.sum.Sum(nil))
	file.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
	return nil
}

// broken is the fault for a body that could not be read to its end.
func broken(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return fault.TooLarge("Upload too large")
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return &fault.Error{Status: http.StatusRequestTimeout, Message: "The upload was too slow", Cause: err}
	}
	f := fault.BadRequest("Malformed multipart body")
	f.Cause = err
	return f
}

// measured counts, hashes and bounds what passes through it, and keeps its
// error apart from the store's own.
type measured struct {
	r   io.Reader
	n   int64
	max int64
	sum hash.Hash
	err error
}

func (m *measured) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	m.sum.Write(p[:n])
	switch {
	case m.n > m.max:
		m.err = fault.TooLarge("File too large, at most " + Size(m.max).String())
	case err != nil && err != io.EOF:
		m.err = broken(err)
	default:
		return n, err
	}
	return n, m.err
}

// cleanName makes the uploader's name for a file harmless as data: the last
// element of a path in either notation, valid UTF-8, no control or formatting
// characters, of bounded length. It is never used as a path.
func cleanName(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, name)
	if runes := []rune(name); len(runes) > maxName {
		name = string(runes[:maxName])
	}
	return strings.TrimSpace(name)
}
