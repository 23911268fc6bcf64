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

// Limits of an upload, in addition to the size of a file.
const (
	MaxFiles  = 20      // per upload
	maxParts  = 100     // files and other fields
	maxField  = 1 << 20 // total bytes of headers and other fields
	maxName   = 1000    // characters of the original name; longer ones are truncated
	sniffSize = 4096    // bytes read to detect the type
	maxDrain  = 32 << 20
)

// MaxBody returns the maximum size of the body of an upload, for Route.Limit.
func (l *Library) MaxBody() int64 {
	return min(int64(l.cfg.Max), (1<<62)/MaxFiles)*MaxFiles + maxField
}

// Receive parses a multipart/form-data body (RFC 7578) and stores every file in it, all
// or none: if one of them is rejected or the connection breaks, none is stored. The
// UserID, Private and Kept of like are copied to each file. In a project without
// columns for files, Kept is always set.
//
// Faults: 400 "No file uploaded", 400 "No filename", 400 for a truncated body, 408 for
// one that arrives too slowly, 413 for a file over Config.Max or more than MaxFiles,
// 415 for a type not in Config.Types. The type is detected from the content, never
// taken from the name or the part's header.
//
// The route needs Limit(l.MaxBody()), and Within(-1) since an upload may take as long
// as it makes progress: a client that sends less than 8 KiB per second is disconnected
// after 30 seconds.
func (l *Library) Receive(c *gin.Context, like File) ([]File, error) {
	ctx := c.Request.Context()
	body := &pacedReader{r: c.Request.Body, extend: extendBoth(c.Writer)}
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
	// Many clients read the response only after sending everything.
	_, _ = io.CopyN(io.Discard, body, maxDrain)
	return nil, err
}

// store returns the files that were stored, including on an error, when the caller must
// delete them.
func (l *Library) store(ctx context.Context, contentType string, body *pacedReader, like File) ([]File, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "multipart/form-data" || params["boundary"] == "" {
		return nil, fault.BadRequest("No file uploaded")
	}
	// At the end of the body inside a header, the parser reports the end of the parts.
	// Here that is an error: only the closing boundary ends them. Its line end is
	// optional.
	parts := multipart.NewReader(io.MultiReader(body, strings.NewReader("\r\n"), truncated{}), params["boundary"])
	var stored []File
	for count := 0; ; count++ {
		part, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) || err != nil && body.n == 0 {
			break
		}
		if err != nil {
			return stored, readFault(err)
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

// truncated is the end of a truncated body.
type truncated struct{}

func (truncated) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// put streams one part into the store and fills in file.
func (l *Library) put(ctx context.Context, file *File, part io.Reader) error {
	head := make([]byte, sniffSize)
	n, err := io.ReadFull(part, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return readFault(err)
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
	content := &measuredReader{r: io.MultiReader(bytes.NewReader(head), part), max: int64(l.cfg.Max), sum: sha256.New()}
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

// readFault returns the fault for a body that could not be read completely.
func readFault(err error) error {
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

// measuredReader counts, hashes and limits what is read, and keeps its error, to tell
// it from one of the store.
type measuredReader struct {
	r   io.Reader
	n   int64
	max int64
	sum hash.Hash
	err error
}

func (m *measuredReader) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	m.n += int64(n)
	m.sum.Write(p[:n])
	switch {
	case m.n > m.max:
		m.err = fault.TooLarge("File too large, at most " + Size(m.max).String())
	case err != nil && err != io.EOF:
		m.err = readFault(err)
	default:
		return n, err
	}
	return n, m.err
}

// cleanName sanitizes the uploader's name of a file: the last element of a path with
// either separator, valid UTF-8, no control or formatting characters, limited length.
// It is never used as a path.
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
