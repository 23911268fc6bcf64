package e2e

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// largeFile is the variable with the size in MiB of the file of TestLargeFiles, which also
// needs that much disk space. The guide promises 2048:
//
//	NEXIOS_TEST_LARGE_FILE=2048 go test ./e2e -run TestLargeFiles -v
const largeFile = "NEXIOS_TEST_LARGE_FILE"

// A file is uploaded and downloaded, and the server needs less than 32 MiB of additional
// memory, whatever the size of the file.
func TestLargeFiles(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the most memory that a program had is read from /proc, which only Linux has")
	}
	mib := 256
	if text := os.Getenv(largeFile); text != "" {
		var err error
		if mib, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s is %q, not a number of MiB", largeFile, text)
		}
	}
	size := int64(mib) << 20
	const limit = 32 << 20
	s := guideServer(t, fmt.Sprintf("FILES_MAX=%dMiB", mib))
	ada := s.register("ada")
	before := s.resident(t, "VmRSS")
	t.Logf("%d MiB in memory at first", before>>20)
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.process.Process.Pid), []byte("5"), 0o600); err != nil {
		t.Fatal(err) // 5 resets VmHWM
	}

	var frame bytes.Buffer
	form := multipart.NewWriter(&frame)
	if _, err := form.CreateFormFile("file", "large.bin"); err != nil {
		t.Fatal(err)
	}
	head := frame.Len()
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	sent, came := sha256.New(), sha256.New()
	content := io.TeeReader(io.LimitReader(rand.NewChaCha8([32]byte{}), size), sent) // incompressible
	body := io.MultiReader(bytes.NewReader(frame.Bytes()[:head]), content, bytes.NewReader(frame.Bytes()[head:]))
	a := ada.with("Content-Type", form.FormDataContentType()).do(http.MethodPost, apiBase+"/files/upload", body).want(201)
	if got := a.json()["size"]; got != float64(size) {
		t.Errorf("uploaded %v of %d bytes", got, size)
	}
	t.Logf("at most %d MiB during the upload of %d MiB", s.resident(t, "VmHWM")>>20, mib)

	response, err := http.Get(s.url + a.text("url"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if n, err := io.Copy(came, response.Body); err != nil || n != size || !bytes.Equal(came.Sum(nil), sent.Sum(nil)) {
		t.Errorf("downloaded %d of %d bytes, %v, or different ones", n, size, err)
	}
	most := s.resident(t, "VmHWM")
	t.Logf("at most %d MiB during the download", most>>20)
	if most-before >= limit {
		t.Errorf("%d MiB of additional memory for a file of %d MiB", (most-before)>>20, mib)
	}
}

// resident returns a memory figure of the server from /proc, in bytes.
func (s *server) resident(t testing.TB, line string) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.process.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), line+":")
	text, _, _ := strings.Cut(strings.TrimSpace(after), " ")
	kib, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("no %s in\n%s", line, status)
	}
	return kib << 10
}
