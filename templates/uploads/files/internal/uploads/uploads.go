// Package uploads stores and serves files.
package uploads

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/fault"
	"github.com/nexios-go/nexios/runtime/files"
	"github.com/nexios-go/nexios/runtime/jobs"
	"github.com/nexios-go/nexios/runtime/web"
)

// orphanAge is the age at which an upload that is not attached, or bytes without a
// row, are deleted.
const orphanAge = 24 * time.Hour

// references are the columns that hold names of uploads. If there are any, an
// upload that none of them holds is deleted after orphanAge, unless it was sent
// with ?keep=true. Uploads older than the first column are kept: they were meant
// to be used without a row. Rows is the model whose rule applies: those who may
// read the row may read the upload.
func references() []files.Column {
	return []files.Column{}
}

type handler struct{ files *files.Library }

// Module returns the routes of uploads. Anyone who knows the name of a file may
// download it, since names cannot be guessed, unless it belongs to a row that not
// everyone may read. A private file is readable by its owner, by administrators and
// through links that one of these created, as long as they may read it themselves.
func Module(cfg files.Config, gdb *gorm.DB, queue *jobs.Queue) web.Module {
	library, err := files.New(cfg, gdb, references()...)
	if err != nil {
		return web.Module{Name: "files", Err: err}
	}
	h := handler{library}
	jobs.Handle(queue, "files.sweep", h.sweep)
	jobs.Schedule(queue, "17 3 * * *", "files.sweep", struct{}{})
	return web.Module{Name: "files", Doc: "File upload and download.", Ready: library.Store.Ready, Routes: []web.Route{
		web.Post("/files/upload", h.upload).Doc("Upload one or more files (all or none)").ID("uploadFile").
			Guard(auth.User()).Uploads("file").Limit(library.MaxBody()).Within(-1),
		web.Handle(http.MethodGet, "/files/:name", h.download).Doc("Download a file").ID("downloadFile").
			Sends("*/*").InParts().Fails(404).Within(-1),
		web.Post("/files/:name/link", h.link).Doc("Create an expiring link to a file").ID("linkFile").
			Describe("Anyone with the link can read the file, for an hour or for `expires_in` seconds, at most a week, and while you may read it. Logging out does not end it.").
			Guard(auth.User()).Fails(404).Returns(http.StatusOK),
		web.Delete("/files/:name", h.remove).Doc("Delete a file").Guard(auth.User()).Fails(404, 409),
	}}
}

func (h handler) upload(c *gin.Context, in uploadInput) (received, error) {
	id, _ := auth.From(c)
	stored, err := h.files.Receive(c, files.File{UserID: id.UserID, Private: in.Private, Kept: in.Keep})
	if err != nil {
		return received{}, err
	}
	answers := make([]uploaded, len(stored))
	for i, file := range stored {
		answers[i] = uploaded{file.Original, file.ContentType, file.Size, url(c, file.Name)}
	}
	if len(answers) > 1 {
		return received{Uploaded: answers}, nil
	}
	one := answers[0]
	c.Header("Location", one.URL)
	return received{Filename: one.Filename, ContentType: one.ContentType, Size: &one.Size, URL: one.URL}, nil
}

func (h handler) download(c *gin.Context) {
	ctx, name := c.Request.Context(), c.Param("name")
	reader, _ := auth.From(c)
	if by, linked := h.files.Linked(name, c.Request.URL.Query(), time.Now()); linked {
		if maker, err := auth.Of(c).Identify(ctx, by); err == nil { // they may have lost access since
			ctx, reader = auth.As(ctx, maker), maker
		}
	}
	file, err := h.files.Find(ctx, name)
	if err == nil && file.Private && !mayRead(reader, file) {
		err = fault.NotFound("File not found")
	}
	if err == nil {
		err = h.files.Serve(c, file)
	}
	if err != nil {
		web.Fail(c, err)
	}
}

func mayRead(reader auth.Identity, file files.File) bool {
	return reader.UserID != 0 && reader.Can("files:read") && (reader.UserID == file.UserID || reader.Admin())
}

func (h handler) link(c *gin.Context, in linkInput) (link, error) {
	file, err := h.own(c, in.Name)
	if err != nil {
		return link{}, err
	}
	maker, _ := auth.From(c)
	if maker.ActorID != 0 { // the link would outlast the impersonation
		return link{}, fault.Forbidden("Not allowed while impersonating a user")
	}
	until := time.Now().Add(time.Duration(in.Seconds) * time.Second).UTC().Truncate(time.Second)
	c.Header("Cache-Control", "no-store")
	return link{url(c, file.Name) + "?" + h.files.Link(file.Name, maker.UserID, until), until}, nil
}

func (h handler) remove(c *gin.Context, in removeInput) (web.None, error) {
	file, err := h.own(c, in.Name)
	if err != nil {
		return web.None{}, err
	}
	return web.None{}, h.files.Remove(c.Request.Context(), file)
}

// own returns the file of that name to its owner and to administrators. For
// others a private one does not exist.
func (h handler) own(c *gin.Context, name string) (files.File, error) {
	file, err := h.files.Find(c.Request.Context(), name)
	if err != nil {
		return file, err
	}
	if id, _ := auth.From(c); id.UserID == file.UserID || id.Admin() {
		return file, nil
	}
	if file.Private {
		return file, fault.NotFound("File not found")
	}
	return file, fault.Forbidden("This file belongs to another user")
}

// sweep deletes uploads that no row refers to, and what processes killed during an
// upload left behind.
func (h handler) sweep(ctx context.Context, _ struct{}) error {
	_, err := h.files.Sweep(ctx, time.Now().Add(-orphanAge))
	return err
}

// url returns the path of a file, wherever the module is mounted.
func url(c *gin.Context, name string) string {
	base, _, _ := strings.Cut(c.FullPath(), "/files/")
	return base + "/files/" + name
}
