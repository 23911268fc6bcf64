package files

import (
	"errors"
	"io"
	"io/fs"
	"mime"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/web"
)

// safe reports whether it is safe to declare a type to a browser: it has no scripts, or
// none that run from a download. Other files are served as application/octet-stream.
func safe(mediaType string) bool {
	switch mediaType {
	case "image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp",
		"audio/mpeg", "audio/ogg", "audio/wav", "audio/flac", "audio/aac", "audio/mp4",
		"video/mp4", "video/webm", "video/ogg", "video/quicktime",
		"application/pdf", "application/zip", "application/json", "text/plain", "text/csv":
		return true
	}
	return false
}

// Serve responds with the content of a file, as an attachment with its original name,
// with ranges and conditional requests (RFC 9110), an ETag of the content and headers
// that keep a browser from executing it. It returns an error only if nothing was
// written: a 404 fault if the object is missing from the store, 412 and 416 for
// conditions and ranges that are not satisfied. The route needs Within(-1); the minimum
// rate is that of Receive.
func (l *Library) Serve(c *gin.Context, file File) error {
	object, err := l.Store.Open(c.Request.Context(), file.Name)
	if errors.Is(err, fs.ErrNotExist) {
		missing := fault.NotFound("File not found")
		missing.Cause = err
		return missing
	}
	if err != nil {
		return err
	}
	defer object.Close()
	contentType := "application/octet-stream"
	if safe(file.ContentType) {
		contentType = file.ContentType
	}
	header := c.Writer.Header()
	header.Set("Content-Type", contentType)
	header.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": file.Original}))
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
	// Cached by the browser but revalidated every time, so that a deletion takes
	// effect; not transformed by proxies, so that ranges match.
	header.Set("Cache-Control", "private, no-cache, no-transform")
	header.Set("ETag", `"`+file.SHA256[:32]+`"`)
	return web.Content(c, seekable{
		pacedReader: &pacedReader{r: object, extend: extendWrite(c.Writer)},
		Seeker:      object,
	})
}

// seekable is a paced reader with a Seek method.
type seekable struct {
	*pacedReader
	io.Seeker
}
