package files

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// bucket is a bucket of an S3-compatible service, below a prefix.
type bucket struct {
	client *minio.Client
	name   string
	prefix string // "" or ending in a slash
}

// partSize is the buffer of an upload longer than onePart: the minimum that S3 allows.
// An upload has up to 10,000 parts, so an object may have 48 GiB.
const (
	partSize = 5 << 20
	onePart  = 1 << 20
)

// putOptions prevent a browser that accesses the service directly from executing the
// content.
var putOptions = minio.PutObjectOptions{
	PartSize:           partSize,
	ContentType:        "application/octet-stream",
	ContentDisposition: "attachment",
}

func openS3(u *url.URL) (Store, error) {
	key := u.User.Username()
	secret, hasSecret := u.User.Password()
	name, prefix, _ := strings.Cut(strings.Trim(u.Path, "/"), "/")
	if prefix != "" {
		prefix += "/"
	}
	region, tls := "us-east-1", "on"
	for parameter, values := range u.Query() {
		switch parameter {
		case "region":
			region = values[0]
		case "tls":
			tls = values[0]
		default:
			return nil, urlError(u.String(), "unknown parameter "+parameter)
		}
	}
	switch {
	case u.Host == "":
		return nil, urlError(u.String(), "no host")
	case name == "":
		return nil, urlError(u.String(), "no bucket")
	case key == "" || !hasSecret:
		return nil, urlError(u.String(), "no key and secret")
	case tls != "on" && tls != "off":
		return nil, urlError(u.String(), "tls is on or off")
	}
	client, err := minio.New(u.Host, &minio.Options{
		Creds:  credentials.NewStaticV4(key, secret, ""),
		Secure: tls == "on",
		Region: region,
	})
	if err != nil {
		return nil, urlError(u.String(), "no usable host")
	}
	return bucket{client, name, prefix}, nil
}

func (s bucket) Put(ctx context.Context, name string, r io.Reader) error {
	if !ValidName(name) {
		return fs.ErrInvalid
	}
	// A short object is sent in one request; only a long one needs the buffer of a part
	// and the three requests of a multipart upload.
	buffered := bufio.NewReaderSize(r, onePart)
	size := int64(-1)
	head, err := buffered.Peek(onePart)
	if err != nil {
		if !errors.Is(err, io.EOF) {
			return err
		}
		size = int64(len(head))
	}
	options := putOptions
	// Without TLS the client signs the content in chunks and sends an empty one without
	// a length, which S3 rejects.
	options.DisableContentSha256 = size == 0
	_, err = s.client.PutObject(ctx, s.name, s.prefix+name, buffered, size, options)
	return err
}

func (s bucket) Open(ctx context.Context, name string) (io.ReadSeekCloser, error) {
	if !ValidName(name) {
		return nil, fs.ErrNotExist
	}
	object, err := s.client.GetObject(ctx, s.name, s.prefix+name, minio.GetObjectOptions{})
	if err != nil {
		return nil, err
	}
	if _, err := object.Stat(); err != nil {
		err = errors.Join(toNotExist(err), object.Close())
		return nil, err
	}
	return object, nil
}

// toNotExist converts S3's "no such key" to fs.ErrNotExist.
func toNotExist(err error) error {
	if minio.ToErrorResponse(err).StatusCode == http.StatusNotFound {
		return fs.ErrNotExist
	}
	return err
}

func (s bucket) Delete(ctx context.Context, name string) error {
	if !ValidName(name) {
		return nil
	}
	err := s.client.RemoveObject(ctx, s.name, s.prefix+name, minio.RemoveObjectOptions{})
	if errors.Is(toNotExist(err), fs.ErrNotExist) {
		return nil
	}
	return err
}

func (s bucket) Each(ctx context.Context, before time.Time, visit func(name string) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for object := range s.client.ListObjectsIter(ctx, s.name, minio.ListObjectsOptions{Prefix: s.prefix}) {
		if object.Err != nil {
			return object.Err
		}
		name := path.Base(object.Key)
		if !ValidName(name) || !object.LastModified.Before(before) {
			continue
		}
		if err := visit(name); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s bucket) Clean(ctx context.Context, before time.Time) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for upload := range s.client.ListIncompleteUploads(ctx, s.name, s.prefix, true) {
		if upload.Err != nil {
			return upload.Err
		}
		if !ValidName(path.Base(upload.Key)) || !upload.Initiated.Before(before) {
			continue
		}
		if err := (minio.Core{Client: s.client}).AbortMultipartUpload(ctx, s.name, upload.Key, upload.UploadID); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (s bucket) Ready(ctx context.Context) error {
	exists, err := s.client.BucketExists(ctx, s.name)
	if err == nil && !exists {
		err = errors.New("no bucket " + s.name)
	}
	return err
}
