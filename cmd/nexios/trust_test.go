package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/apply"
)

// A repository can configure programs that git runs. Doctor, which runs git in projects
// of unknown origin, must not run any of them.
func TestGitRunsNoConfiguredPrograms(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the programs are shell scripts")
	}
	home := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME"} {
		t.Setenv(name, home)
	}
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	ran := filepath.Join(t.TempDir(), "ran")
	script := filepath.Join(t.TempDir(), "run me.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho $0 $@ >> '"+ran+"'\ncat\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	quoted := "'" + script + "'"
	settings := map[string]string{
		"core.fsmonitor": quoted, "core.hooksPath": filepath.Dir(script), "core.sshCommand": quoted, "core.pager": quoted,
		"core.askPass": quoted, "core.editor": quoted, "credential.helper": "!" + quoted, "diff.external": quoted,
		"filter.x.clean": quoted, "filter.x.smudge": quoted, "filter.x.process": quoted, "filter.x.required": "true",
		"filter.a=b.clean": quoted, "diff.x.textconv": quoted, "status.submoduleSummary": "true",
		"alias.status": "!" + quoted, "remote.origin.url": "ext::" + script + " %S", "remote.origin.promisor": "true",
		"extensions.partialClone": "origin", "core.repositoryFormatVersion": "1", "protocol.ext.allow": "always",
	}
	for _, only := range append(slices.Sorted(maps.Keys(settings)), "all") {
		t.Run(only, func(t *testing.T) {
			if testing.Short() && only != "all" {
				t.Skip("short mode tests only all of them together")
			}
			parent := t.TempDir()
			dir := filepath.Join(parent, "shop")
			inProcess(t, 0, "new", "shop", "--dir", dir)
			for name, value := range settings {
				if only != "all" && name != only || only == "all" && strings.Contains(name, "=") {
					continue
				}
				runGit(t, dir, "config", name, value)
			}
			for _, hook := range []string{"post-index-change", "fsmonitor-watchman", "pre-auto-gc", "reference-transaction", "post-checkout"} {
				for _, at := range []string{filepath.Join(dir, ".git", "hooks"), filepath.Dir(script)} {
					if err := errors.Join(os.MkdirAll(at, 0o755), os.WriteFile(filepath.Join(at, hook), []byte("#!/bin/sh\n"+quoted+"\n"), 0o755)); err != nil {
						t.Fatal(err)
					}
				}
			}
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			write(".gitattributes", "* filter=x diff=x\n*.md filter=a=b\n")
			write("README.md", "changed\n")
			write(".nexios/runtime/version.go", "package runtime\n")
			index, err := os.ReadFile(filepath.Join(dir, ".git", "index"))
			if err != nil {
				t.Fatal(err)
			}
			out := inProcess(t, 1, "doctor", "--dir", dir)
			if !strings.Contains(out, "changes ") {
				t.Errorf("git did not run:\n%s", out)
			}
			inProcess(t, 2, "undo", "--dir", dir)
			if text, err := os.ReadFile(ran); err == nil {
				t.Errorf("%s ran:\n%s", only, text)
				_ = os.Remove(ran)
			}
			if now, err := os.ReadFile(filepath.Join(dir, ".git", "index")); err != nil || !bytes.Equal(now, index) {
				t.Errorf("the index was written: %v", err)
			}
		})
	}
}

// A directory of tracked files that looks like a bare repository is not used as one.
func TestNestedBareRepositoryIsIgnored(t *testing.T) {
	dir := t.TempDir()
	runGit(t, dir, "init", "--quiet", "--bare", "inner")
	if out, err := git(context.Background(), filepath.Join(dir, "inner"), "rev-parse", "--git-dir"); err == nil {
		t.Errorf("%s was used as a repository", out)
	}
}

func runGit(t testing.TB, dir string, args ...string) {
	t.Helper()
	run := exec.Command("git", args...)
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// inProcess runs nexios in this process and returns its output. The exit code must be
// code, unless that is -1.
func inProcess(t testing.TB, code int, args ...string) string {
	t.Helper()
	var out, stderr bytes.Buffer
	if got := run(context.Background(), args, strings.NewReader(""), &out, &stderr); code >= 0 && got != code {
		t.Fatalf("nexios %s: exit code %d\n%s%s", strings.Join(args, " "), got, &out, &stderr)
	}
	for _, r := range out.String() + stderr.String() {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == 0x9b {
			t.Fatalf("nexios %s printed control characters: %q", strings.Join(args, " "), out.String()+stderr.String())
		}
	}
	return out.String() + stderr.String()
}

// readTree returns every file below dir with its mode and contents.
func readTree(t testing.TB, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		found[name] = info.Mode().String()
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			found[name] += "\n" + string(text)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// FuzzForeignProject runs commands on a project whose nexios.json, journal and base
// files are untrusted. No file outside of the project and none of git's may change, and
// the output must not contain control characters.
func FuzzForeignProject(f *testing.F) {
	if testing.Short() {
		f.Skip("makes and copies projects")
	}
	home := f.TempDir()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "AppData"} {
		f.Setenv(name, home)
	}
	f.Setenv("SOURCE_DATE_EPOCH", "1795256100")
	f.Setenv("NEXIOS_CHECK", "off") // it compiles everything; one command below has it on
	made := filepath.Join(f.TempDir(), "shop")
	inProcess(f, 0, "new", "shop", "--dir", made, "--no-git")
	if err := errors.Join(os.RemoveAll(filepath.Join(made, ".nexios", "runtime")), os.Remove(filepath.Join(made, ".nexios", "go.mod"))); err != nil { // most of the files
		f.Fatal(err)
	}
	inProcess(f, 0, "add", "resource", "post", "title:string", "--dir", made)
	inProcess(f, 0, "add", "websocket", "chat", "--dir", made)
	record, err := os.ReadFile(filepath.Join(made, "nexios.json"))
	if err != nil {
		f.Fatal(err)
	}
	journal, err := os.ReadFile(filepath.Join(made, apply.UndoDir, "0001.json"))
	if err != nil {
		f.Fatal(err)
	}
	const hook = "#!/bin/sh\necho evil\n"
	type step struct {
		Path          string
		Before, After []byte
		Mode          int
	}
	forged := func(path string) []byte {
		inner, err := json.Marshal(map[string]any{"title": "\x1b[2Jevil", "dirs": []string{".git/hooks", "../out"}, "changes": []step{{path, []byte(hook), nil, 0o755}}})
		if err != nil {
			f.Fatal(err)
		}
		outer, err := json.Marshal(map[string]any{"signature": make([]byte, 32), "step": json.RawMessage(inner)})
		if err != nil {
			f.Fatal(err)
		}
		return outer
	}
	edit := func(old, new string) []byte { return bytes.Replace(record, []byte(old), []byte(new), 1) }
	const base = ".nexios/base/"
	for _, seed := range []struct {
		record        []byte
		journal       string
		step          []byte
		base, content string
	}{
		{record, "0003.json", journal, base + "main.go", "package main\n"},
		{record, "x", nil, base + ".git/config", "[core]\n"},
		{record, "x", nil, base + "internal/.git/config", "[core]\n"},
		{record, "x", nil, base + "GIT~1/config", "[core]\n"},
		{record, "0003.undo.json", forged(".git/hooks/post-index-change"), base + ".git/config", "[core]\n"},
		{record, "0003.open.json", forged("../outside"), base + ".GIT/config", "[core]\n"},
		{record, "0009.json", forged("/etc/x"), base + "../../../outside", "outside\n"},
		{record, "9999.json", []byte("{}"), base + "..\\..\\outside", "outside\n"},
		{record, "0001.undo.json", journal, base + "\x1b]0;x\a.go", "package x\n"},
		{edit(`"post"`, `"../../outside"`), "lock", nil, base + "internal/model/post.go", "package model\n"},
		{edit(`"posts"`, `".git/hooks"`), "x", nil, "internal/app/modules.go", "package app\n"},
		{edit(`"chat"`, `"../../.git/hooks"`), "x", nil, "internal/model/.git/config", "[core]\n"},
		{edit(`"chat"`, `"\u001b[2J"`), "x", nil, "go.mod", "module \x1b[2J\n"},
		{edit(`"title:string"`, `"title:string:default=\u001b[2J"`), "x", nil, "README.md", "\x1b[2J"},
		{edit(`"nexios": "`, `"nexios": "9.9.9; rm -rf ~ #`), "x", nil, "x", ""},
		{edit(`"migration": "`, `"migration": "../../`), "x", nil, "x", ""},
		{edit(`"module": "shop"`, `"module": "../shop"`), "x", nil, "x", ""},
	} {
		f.Add(seed.record, seed.journal, seed.step, seed.base, []byte(seed.content))
	}
	f.Fuzz(func(t *testing.T, record []byte, journal string, step []byte, name string, text []byte) {
		parent := t.TempDir()
		dir := filepath.Join(parent, "shop")
		if err := os.CopyFS(dir, os.DirFS(made)); err != nil {
			t.Fatal(err)
		}
		writeFile := func(name string, text []byte) {
			if !filepath.IsLocal(filepath.FromSlash(name)) || strings.Contains(name, "\x00") {
				return // not possible in a repository
			}
			name = filepath.Join(dir, filepath.FromSlash(name))
			_ = os.MkdirAll(filepath.Dir(name), 0o755)
			_ = os.WriteFile(name, text, 0o644) // ignore names that the system rejects
		}
		writeFile(name, text)
		writeFile(apply.UndoDir+"/"+filepath.Base(journal), step)
		writeFile("nexios.json", record)
		for name, text := range map[string]string{"outside": "outside\n", "shop/.git/config": "[core]\n", "shop/.git/hooks/post-index-change": hook, "shop/.git/HEAD": "ref: refs/heads/main\n"} {
			name = filepath.Join(parent, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o755)); err != nil {
				t.Fatal(err)
			}
		}
		outside := func() map[string]string {
			all := readTree(t, parent)
			maps.DeleteFunc(all, func(name, _ string) bool {
				in, ok := strings.CutPrefix(name, dir)
				return ok && !strings.HasPrefix(in, string(filepath.Separator)+".git"+string(filepath.Separator))
			})
			return all
		}
		before, all := outside(), readTree(t, parent)
		checked := []string{"add", "resource", "tag", "name:string"}
		for _, args := range [][]string{{"undo", "--dry-run"}, {"add", "field", "post", "body:text:optional", "--dry-run"}, {"upgrade", "--dry-run"}} {
			inProcess(t, -1, append(args, "--dir", dir)...)
			if !maps.Equal(readTree(t, parent), all) {
				t.Fatalf("nexios %s wrote something", strings.Join(args, " "))
			}
		}
		for _, args := range [][]string{
			{"undo", "--yes"}, {"add", "field", "post", "body:text:optional"}, {"upgrade", "--yes", "--markers"},
			checked, {"remove", "resource", "post", "--force"}, {"remove", "websocket", "chat", "--force"}, {"undo", "--yes"},
		} {
			t.Setenv("NEXIOS_CHECK", map[bool]string{false: "off"}[slices.Equal(args, checked)])
			t.Logf("%s: %s", args, inProcess(t, -1, append(args, "--dir", dir)...))
			if now := outside(); !maps.Equal(now, before) {
				for name := range now {
					if now[name] != before[name] {
						t.Errorf("%s changed to %q", name, now[name])
					}
				}
				for name := range before {
					if _, ok := now[name]; !ok {
						t.Errorf("%s was removed", name)
					}
				}
				t.Fatalf("after nexios %s", strings.Join(args, " "))
			}
		}
	})
}
