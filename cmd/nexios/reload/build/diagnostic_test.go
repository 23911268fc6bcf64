package build

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nexios-go/nexios/cmd/nexios/reload/event"
)

func TestDiagnostics(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte("package main\n\nfunc main() { x }\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	list, rest := diagnostics(dir, "go: downloading example.com/x v1.0.0\n# blog\n./main.go:3:15: undefined: x\n\thave (int)\n\twant ()\n"+
		filepath.Join(dir, "main.go")+":1: other\ntoo many errors\ngo: something else\n")
	want := []event.Diagnostic{
		{File: "main.go", Line: 3, Column: 15, Message: "undefined: x\n\thave (int)\n\twant ()", Source: "func main() { x }"},
		{File: "main.go", Line: 1, Message: "other", Source: "package main"},
	}
	if !slices.Equal(list, want) || rest != "go: something else" {
		t.Errorf("got %+v, %q", list, rest)
	}
	list = ParsePanic(dir, "starting\npanic: oh [recovered]\n\ngoroutine 1 [running]:\nruntime.x()\n\t/usr/lib/go/x.go:7 +0x1\nmain.main()\n\t"+
		filepath.Join(dir, "main.go")+":3 +0x2e\nexit status 2\n")
	if len(list) != 1 || list[0].Place() != "main.go:3" || list[0].Message != "panic: oh [recovered]" {
		t.Errorf("got %+v", list)
	}
}
