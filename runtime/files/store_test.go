package files

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/rclone/gofakes3"
	"github.com/rclone/gofakes3/s3mem"
)

// s3 starts an S3 service with the bucket uploads and returns its address.
func s3(t *testing.T, options ...gofakes3.Option) string {
	t.Helper()
	backend := s3mem.New()
	if err := backend.CreateBucket(t.Context(), "uploads"); err != nil {
		t.Fatal(err)
	}
	handler := gofakes3.New(backend, options...).Server()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if query := r.URL.Query(); len(options) == 0 && query.Get("delimiter") == "" {
			// gofakes3 treats an empty delimiter as one. Signed requests cannot be
			// changed, so they are passed on as they are.
			query.Del("delimiter")
			query.Del("key-marker")
			query.Del("upload-id-marker")
			r.URL.RawQuery = query.Encode()
		}
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(service.Close)
	return strings.TrimPrefix(service.URL, "http://")
}

// stores returns the kinds of store under test. TEST_S3_URL adds a bucket of a real
// service.
func stores(t *testing.T) map[string]string {
	t.Helper()
	host := s3(t, gofakes3.WithV4Auth(map[string]string{"key": "secret"}))
	urls := map[string]string{
		"local":           "file:" + filepath.Join(t.TempDir(), "files"),
		"s3":              "s3://key:secret@" + host + "/uploads?tls=off",
		"s3 below prefix": "s3://key:secret@" + host + "/uploads/a/b?tls=off&region=eu-central-1",
	}
	if real := os.Getenv("TEST_S3_URL"); real != "" {
		urls["s3 of TEST_S3_URL"] = real
	}
	return urls
}

func forEachStore(t *testing.T, check func(t *testing.T, store Store)) {
	for name, url := range stores(t) {
		t.Run(name, func(t *testing.T) {
			store, err := OpenStore(url)
			if err != nil {
				t.Fatal(err)
			}
			if err := store.Ready(t.Context()); err != nil {
				t.Fatal(err)
			}
			check(t, store)
		})
	}
}

// all returns the names of the objects in a store.
func all(t *testing.T, store Store) []string {
	t.Helper()
	var names []string
	err := store.Each(t.Context(), time.Now().Add(time.Hour), func(name string) error {
		names = append(names, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestStoreReturnsWhatWasPut(t *testing.T) {
	large := bytes.Repeat([]byte("0123456789abcdef"), (partSize+onePart)/16) // more than one part
	contents := map[string][]byte{"empty": {}, "small": []byte("hello"), "one part": large[:onePart], "two parts": large}
	forEachStore(t, func(t *testing.T, store Store) {
		for size, content := range contents {
			t.Run(size, func(t *testing.T) {
				name := NewName(".txt")
				if err := store.Put(t.Context(), name, iotest.OneByteReader(bytes.NewReader(content[:min(len(content), 10)]))); err != nil {
					t.Fatal(err)
				}
				if err := store.Delete(t.Context(), name); err != nil {
					t.Fatal(err)
				}
				if err := store.Put(t.Context(), name, bytes.NewReader(content)); err != nil {
					t.Fatal(err)
				}
				object, err := store.Open(t.Context(), name)
				if err != nil {
					t.Fatal(err)
				}
				defer object.Close()
				if got, err := io.ReadAll(object); err != nil || !bytes.Equal(got, content) {
					t.Fatalf("read %d bytes, %v; put %d", len(got), err, len(content))
				}
				if end, err := object.Seek(0, io.SeekEnd); err != nil || end != int64(len(content)) {
					t.Errorf("size is %d, %v; want %d", end, err, len(content))
				}
				if len(content) > 3 {
					if _, err := object.Seek(-3, io.SeekEnd); err != nil {
						t.Fatal(err)
					}
					if got, err := io.ReadAll(object); err != nil || !bytes.Equal(got, content[len(content)-3:]) {
						t.Errorf("the last three bytes are %q, %v", got, err)
					}
				}
				if names := all(t, store); !slices.Contains(names, name) {
					t.Errorf("%s is not listed", name)
				}
				if err := store.Delete(t.Context(), name); err != nil {
					t.Fatal(err)
				}
				if _, err := store.Open(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("open after delete: %v", err)
				}
				if err := store.Delete(t.Context(), name); err != nil {
					t.Errorf("delete of an absent object: %v", err)
				}
			})
		}
	})
}

func TestStoreDiscardsFailedPut(t *testing.T) {
	readFault := errors.New("broken")
	forEachStore(t, func(t *testing.T, store Store) {
		for _, size := range []int{0, 10, onePart, partSize + onePart} {
			name := NewName("")
			r := io.MultiReader(bytes.NewReader(make([]byte, size)), iotest.ErrReader(readFault))
			if err := store.Put(t.Context(), name, r); !errors.Is(err, readFault) {
				t.Errorf("put that fails after %d bytes: %v", size, err)
			}
			if _, err := store.Open(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("open after a put that failed at %d bytes: %v", size, err)
			}
		}
		if names := all(t, store); len(names) != 0 {
			t.Errorf("left behind: %v", names)
		}
	})
}

func TestStoreRejectsInvalidNames(t *testing.T) {
	valid := NewName("")
	names := []string{
		"", ".", "..", "../x", "/etc/passwd", `..\x`, `C:\x`, "a\x00b", strings.Repeat("a", 300), "tmp", "NUL",
		valid[:25], valid + ".", valid + ".tar.gz", valid + "/..", strings.ToUpper(valid), valid + ".PNG", valid + "\n",
	}
	forEachStore(t, func(t *testing.T, store Store) {
		for _, name := range names {
			if err := store.Put(t.Context(), name, strings.NewReader("x")); err == nil {
				t.Errorf("put %q succeeded", name)
			}
			if _, err := store.Open(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("open %q: %v", name, err)
			}
			if err := store.Delete(t.Context(), name); err != nil {
				t.Errorf("delete %q: %v", name, err)
			}
		}
	})
}

func TestLocalStoreStaysInside(t *testing.T) {
	outside := t.TempDir()
	dir := filepath.Join(t.TempDir(), "files")
	store, err := OpenStore("file:" + dir)
	if err != nil {
		t.Fatal(err)
	}
	name := NewName("")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, name[:2])); err != nil {
		t.Fatal(err)
	}
	if err := store.Put(t.Context(), name, strings.NewReader("x")); err == nil {
		t.Error("put followed a symbolic link out of the store")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 0 {
		t.Errorf("outside: %v, %v", entries, err)
	}
}

func TestLocalStoreCreatesDirectoryOnDemand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	store, err := OpenStore("file:" + dir)
	if err != nil {
		t.Fatal(err)
	}
	name := NewName("")
	if _, err := store.Open(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
	err = errors.Join(store.Ready(t.Context()), store.Delete(t.Context(), name), store.Clean(t.Context(), time.Now()))
	if names := all(t, store); err != nil || len(names) != 0 {
		t.Errorf("an empty store: %v, %v", names, err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("created without a put: %v", err)
	}
	if err := store.Put(t.Context(), name, strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if names := all(t, store); len(names) != 1 {
		t.Errorf("after a put: %v", names)
	}
	if _, err := OpenStore("file:" + filepath.Join(dir, name[:2], name)); err == nil {
		t.Error("a file was accepted as the directory")
	}
}

func TestLocalStoreCleansUnfinishedPuts(t *testing.T) {
	dir := t.TempDir()
	store, err := OpenStore("file:" + dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Clean(t.Context(), time.Now()); err != nil {
		t.Fatalf("clean of an empty store: %v", err)
	}
	if err := store.Put(t.Context(), NewName(""), strings.NewReader("whole")); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, tempDir, NewName(""))
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := store.Clean(t.Context(), time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err != nil {
		t.Errorf("an upload in progress was deleted: %v", err)
	}
	if err := store.Clean(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an old unfinished upload was not deleted: %v", err)
	}
	if names := all(t, store); len(names) != 1 {
		t.Errorf("objects after clean: %v", names)
	}
}

func TestS3StoreCleansUnfinishedUploads(t *testing.T) {
	urls := map[string]string{
		"bucket": "s3://key:secret@" + s3(t) + "/uploads?tls=off",
		"prefix": "s3://key:secret@" + s3(t) + "/uploads/a/b?tls=off",
	}
	if real := os.Getenv("TEST_S3_URL"); real != "" {
		urls["TEST_S3_URL"] = real
	}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			store, err := OpenStore(url)
			if err != nil {
				t.Fatal(err)
			}
			s := store.(bucket)
			key := s.prefix + NewName("")
			if _, err := (minio.Core{Client: s.client}).NewMultipartUpload(t.Context(), s.name, key, putOptions); err != nil {
				t.Fatal(err)
			}
			open := func() (n int) {
				for upload := range s.client.ListIncompleteUploads(t.Context(), s.name, s.prefix, true) {
					if upload.Err != nil {
						t.Fatal(upload.Err)
					}
					n++
				}
				return n
			}
			if err := store.Clean(t.Context(), time.Now().Add(-time.Hour)); err != nil || open() != 1 {
				t.Errorf("after cleaning uploads older than an hour: %d open, %v", open(), err)
			}
			if err := store.Clean(t.Context(), time.Now().Add(time.Hour)); err != nil || open() != 0 {
				t.Errorf("after cleaning everything: %d open, %v", open(), err)
			}
		})
	}
}

func TestS3StoreIsNotReadyWithoutBucket(t *testing.T) {
	url := stores(t)["s3"]
	store, err := OpenStore(strings.Replace(url, "/uploads", "/absent", 1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := store.Ready(ctx); err == nil {
		t.Error("ready without a bucket")
	}
}

func TestOpenStoreRejectsInvalidURLs(t *testing.T) {
	for _, url := range []string{
		"", "data/files", "ftp://host/x", "file:", "s3://", "s3://host/bucket", "s3://key@host/bucket", "s3://key:s3cr3t@host",
		"s3://key:s3cr3t@host/bucket?tls=maybe", "s3://key:s3cr3t@host/bucket?ssl=off", "s3://key:s3cr3t@ho st/bucket", "s3://key:s3cr3t%zz@host/bucket",
	} {
		_, err := OpenStore(url)
		if err == nil {
			t.Errorf("%q was opened", url)
			continue
		}
		if !strings.Contains(err.Error(), "try:") || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("%q: %v", url, err)
		}
	}
}

func TestNewNameAcceptsOnlySafeExtensions(t *testing.T) {
	for extension, kept := range map[string]bool{
		"": true, ".png": true, ".mp4": true, ".jpeg": true,
		"png": false, ".": false, "..": false, ".PNG": false, "./x": false, ".tar.gz": false, ".toolongext": false, ".p\x00g": false,
	} {
		name := NewName(extension)
		if !ValidName(name) {
			t.Errorf("NewName(%q) is %q", extension, name)
		}
		if strings.HasSuffix(name, extension) != kept && extension != "png" {
			t.Errorf("NewName(%q) is %q; want extension: %v", extension, name, kept)
		}
	}
	if first, second := NewName(""), NewName(""); first == second {
		t.Error("the same name twice")
	}
}
