package websocket

import (
	"bytes"
	"go/format"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
)

func rendered(t *testing.T, name, kind string) map[string]string {
	t.Helper()
	f := Feature()
	chosen := spec.Feature{Name: f.Name, Options: map[string]string{"name": name, "kind": kind}}
	files, err := f.Render(spec.Project{Name: "blog", Module: "example.com/blog"}, chosen)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, file := range files {
		got[file.Path] = string(file.Data)
	}
	return got
}

// The examples are rendered as they are compiled here, except for their imports.
func TestExamplesAreRenderedUnchanged(t *testing.T) {
	for kind, example := range map[string]string{rooms: "chat", organisation: "team", echo: "echo"} {
		got := rendered(t, example, kind)
		entries, err := fs.ReadDir(files, "files/internal/"+example)
		if err != nil || len(entries) != len(got) {
			t.Fatalf("%d files of %d, %v", len(got), len(entries), err)
		}
		for _, entry := range entries {
			want, err := fs.ReadFile(files, "files/internal/"+example+"/"+entry.Name())
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(entry.Name(), ".go") {
				want = bytes.ReplaceAll(want, []byte("github.com/nexios-go/nexios/templates/websocket/files"), []byte("example.com/blog"))
				if want, err = format.Source(want); err != nil { // re-sort the imports
					t.Fatal(err)
				}
			}
			if text := got["internal/"+example+"/"+entry.Name()]; text != string(want) {
				t.Errorf("%s was rendered as\n%s", entry.Name(), text)
			}
		}
	}
}

func TestNames(t *testing.T) {
	got := rendered(t, "team-talk", rooms)
	page, code := got["internal/teamtalk/teamtalk.html"], got["internal/teamtalk/teamtalk.go"]
	for _, want := range []string{"package teamtalk", `"/ws/teamtalk/:room"`, "//go:embed teamtalk.html", `ws.New("teamtalk"`} {
		if !strings.Contains(code, want) {
			t.Errorf("missing %s", want)
		}
	}
	for path, text := range got {
		if strings.Contains(strings.ToLower(text), "chat") {
			t.Errorf("%s still mentions chat", path)
		}
	}
	if !strings.Contains(page, `<style nonce="{{.}}">`) || !strings.Contains(page, "<h1>Teamtalk</h1>") {
		t.Error("the page is not renamed")
	}
	for path, text := range rendered(t, "board", organisation) {
		if strings.Contains(strings.ToLower(text), "team") {
			t.Errorf("%s still mentions team", path)
		}
	}
	echo := rendered(t, "mirror", echo)["internal/mirror/mirror.go"]
	if !strings.Contains(echo, `"/ws/mirror"`) || !strings.Contains(echo, `"Echo: "`) || !strings.Contains(echo, "package mirror") {
		t.Error(echo)
	}
}

func TestEndpointsShareNoSettings(t *testing.T) {
	var texts []string
	for _, name := range []string{"chat", "echo"} {
		for _, e := range edits(spec.Project{Module: "example.com/blog"}, spec.Feature{Options: map[string]string{"name": name}}) {
			texts = append(texts, e.Path+" "+e.Text)
		}
	}
	slices.Sort(texts)
	// Only the import is shared: it stays as long as it is used.
	if shared := len(texts) - len(slices.Compact(texts)); shared != 1 {
		t.Errorf("%d edits are shared, want 1", shared)
	}
}
