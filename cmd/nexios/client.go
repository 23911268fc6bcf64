package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold"
	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/client"
	"github.com/nexios-go/nexios/scaffold/merge"
	"github.com/nexios-go/nexios/scaffold/plan"
	"github.com/nexios-go/nexios/scaffold/problem"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// codegen generates Go clients. It is run by its path and version, like oasdiff. The
// code it writes imports codegenRuntime.
const (
	codegen        = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"
	codegenRuntime = "github.com/oapi-codegen/runtime@v1.9.0"
)

func clientCommand() *cobra.Command {
	return group(&cobra.Command{
		Use:     "client",
		Short:   "Write a client of the API, in TypeScript or Go",
		Example: "  nexios client ts --out web/src/api.ts\n  nexios client go",
	}, clientTSCommand(), clientGoCommand())
}

func clientTSCommand() *cobra.Command {
	var f changeFlags
	var out string
	cmd := &cobra.Command{
		Use:   "ts",
		Short: "Write a TypeScript client: one module without dependencies",
		Long: `Write a TypeScript client of the API: one module without dependencies, for
browsers and node. It has a method for every operation, renews access tokens
silently, retries what is safe to retry after the delay the server asks for,
reports the progress of uploads, iterates over lists page by page, sends ETags
with changes, keeps WebSocket rooms connected and lists errors by field.

The path is kept in nexios.json. nexios dev updates the client when the API
changes; otherwise run this again.`,
		Example: `  nexios client ts
  nexios client ts --out ../web/src/api.ts`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return writeClient(cmd, f, spec.Client{Language: "ts", File: out}, "client/api.ts", nil, client.TypeScript)
		},
	}
	f.add(cmd, projectHelp)
	cmd.Flags().StringVar(&out, "out", "", "the file (default: the previous one, or client/api.ts in the project)")
	return cmd
}

func clientGoCommand() *cobra.Command {
	var f changeFlags
	var out string
	cmd := &cobra.Command{
		Use:   "go",
		Short: "Write a Go client, with oapi-codegen",
		Long: `Write a Go client of the API with oapi-codegen, which go run fetches and builds
the first time:

  ` + codegen + `

The client is a package named client, and imports

  ` + codegenRuntime,
		Example: "  nexios client go\n  nexios client go --out ../shopcli/client/client.go",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return writeClient(cmd, f, spec.Client{Language: "go", File: out}, "client/client.go", []string{"go get " + codegenRuntime + ", where the client is used"}, func(document []byte) ([]byte, error) {
				file, err := os.CreateTemp("", "openapi-*.json")
				if err != nil {
					return nil, err
				}
				defer os.Remove(file.Name())
				if _, err := file.Write(document); err != nil {
					return nil, errors.Join(err, file.Close())
				}
				if err := file.Close(); err != nil {
					return nil, err
				}
				return goRun(cmd, codegen, "-generate", "types,client", "-package", "client", file.Name())
			})
		},
	}
	f.add(cmd, projectHelp)
	cmd.Flags().StringVar(&out, "out", "", "the file (default: the previous one, or client/client.go in the project)")
	return cmd
}

// writeClient writes the client that generate makes of the project's OpenAPI document,
// and records its path.
func writeClient(cmd *cobra.Command, f changeFlags, c spec.Client, defaultFile string, next []string, generate func([]byte) ([]byte, error)) error {
	open, err := openToRead(cmd, f.dir)
	if err != nil {
		return err
	}
	open.Close() // do not hold the lock during the build
	f.dir = open.dir
	switch recorded := open.spec.ClientFile(c.Language); {
	case c.File != "":
		at, err := filepath.Abs(c.File)
		if err != nil {
			return err
		}
		if c.File, err = filepath.Rel(open.dir, at); err != nil {
			return err
		}
		c.File = filepath.ToSlash(c.File)
	case recorded != "":
		c.File = recorded
	default:
		c.File = defaultFile
	}
	at := filepath.Join(open.dir, filepath.FromSlash(c.File))
	before, err := readClient(at)
	if err != nil {
		return err
	}
	document, err := documentOf(cmd, open.dir)
	if err != nil {
		return err
	}
	text, err := generate(document)
	if err != nil {
		return err
	}
	return inProject(cmd, f, func(open opened, _ string) error {
		return putClient(cmd, f, open, c, at, before, text, next)
	})
}

// putClient writes the text of a client to the path at, replacing before, and records
// the path.
func putClient(cmd *cobra.Command, f changeFlags, open opened, c spec.Client, at string, before, text []byte, next []string) error {
	now, err := clock()
	if err != nil {
		return err
	}
	record, err := recordOf(open, c)
	if err != nil {
		return err
	}
	op := plan.Op{Kind: plan.Update, Path: c.File, Before: before, After: text}
	switch {
	case before == nil:
		op.Kind = plan.Create
	case merge.Same(before, text):
		op = plan.Op{Kind: plan.Identical, Path: c.File, Before: before, After: before}
	}
	return f.carryOut(cmd, step{
		dir:  open.dir,
		plan: plan.New(op, record),
		// The record is written before the file: if the process is killed in between,
		// the next run finds the path recorded.
		write: func() error {
			put := func() error { return nil }
			if op.Kind != plan.Identical {
				if put, err = prepareFile(at, text); err != nil {
					return err
				}
			}
			if record.Kind != plan.Identical {
				if _, err := open.Apply(plan.New(record), apply.Options{Title: "client " + c.Language, Time: now}); err != nil {
					return err
				}
			}
			return put()
		},
		next: next,
	})
}

// recordOf returns the change of nexios.json that records the client.
func recordOf(open opened, c spec.Client) (plan.Op, error) {
	before, err := fs.ReadFile(open.Files(), scaffold.SpecFile)
	if err != nil {
		return plan.Op{}, err
	}
	op := plan.Op{Kind: plan.Identical, Path: scaffold.SpecFile, Before: before, After: before}
	if open.spec.ClientFile(c.Language) == c.File {
		return op, nil
	}
	op.Kind = plan.Update
	op.After, err = open.spec.WithClient(c).JSON()
	op.Base = op.After
	return op, err
}

// readClient returns the client at a path, or nil if there is none. It rejects a file
// that was not generated.
func readClient(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if head := text[:min(len(text), 500)]; !bytes.Contains(head, []byte("// Code generated by ")) || !bytes.Contains(head, []byte("DO NOT EDIT.")) {
		return nil, &problem.Error{Kind: problem.Failure, What: "the file exists and was not generated", Where: path, Try: "choose another file with --out"}
	}
	return text, nil
}

// checkClients looks for resources and fields that a client lacks. It does not run the
// program, so changes made by hand in the code are not seen.
func checkClients(open opened) []finding {
	var findings []finding
	for _, c := range open.spec.Clients {
		command := "nexios client " + c.Language
		text, err := readClient(filepath.Join(open.dir, filepath.FromSlash(c.File)))
		if err != nil {
			findings = append(findings, finding{"client", statusWarn, firstLine(err).Error() + ": " + c.File, command + " --out FILE"})
		}
		if text == nil { // deleted: no longer wanted
			continue
		}
		missing, err := missingFrom(text, open)
		switch {
		case err != nil:
			findings = append(findings, finding{"client", statusWarn, err.Error(), command})
		case missing != "":
			findings = append(findings, finding{"client", statusWarn, c.File + " does not have " + missing + ": the API has changed since it was written", command})
		default:
			findings = append(findings, finding{"client", statusOK, c.File + " has every resource and field", ""})
		}
	}
	return findings
}

// missingFrom returns the first path of a resource or the first field that a client
// lacks, or "". Those renamed by hand in the code are not considered.
func missingFrom(client []byte, open opened) (string, error) {
	code := func(pattern string) (all []byte, err error) {
		names, err := fs.Glob(open.Files(), pattern)
		for _, name := range names {
			text, readErr := fs.ReadFile(open.Files(), name)
			all, err = append(all, text...), errors.Join(err, readErr)
		}
		return all, err
	}
	models, err := code("internal/model/*.go")
	if err != nil {
		return "", err
	}
	for _, r := range open.spec.Resources {
		if r.ModelOnly {
			continue
		}
		versions := max(len(r.Versions()), 1)
		for i := range versions {
			_, room := r.OfVersion(i)
			routes, err := code("internal/" + room + "/*.go")
			if err != nil {
				return "", err
			}
			below := "/" + strings.ReplaceAll(r.Plural, "_", "-")
			if !bytes.Contains(routes, []byte(below+`"`)) && !bytes.Contains(routes, []byte(below+"/")) {
				continue
			}
			path := below
			if room != r.Package() {
				path = "/" + r.Versions()[i] + below
			}
			if !containsWord(client, path) {
				return path, nil
			}
		}
		fields, err := r.Parsed()
		if err != nil {
			return "", err
		}
		for _, f := range fields {
			name := f.Column()
			if name == "" || f.Is("secret") || !bytes.Contains(models, []byte(`json:"`+name+`"`)) && !bytes.Contains(models, []byte(`json:"`+name+`,`)) {
				continue
			}
			if !containsWord(client, name) {
				return r.Name + "." + name, nil
			}
		}
	}
	return "", nil
}

// containsWord reports whether text contains word, or a path, as a whole.
func containsWord(text []byte, word string) bool {
	begin := `(^|\W)`
	if strings.HasPrefix(word, "/") {
		begin = "" // other paths begin with it: /api/v1/posts
	}
	return regexp.MustCompile(begin + regexp.QuoteMeta(word) + `([^\w-]|$)`).Match(text)
}

// replaceFile writes a file atomically.
func replaceFile(path string, text []byte) error {
	put, err := prepareFile(path, text)
	if err != nil {
		return err
	}
	return put()
}

// tempPrefix is the prefix of temporary files for clients; the pid of the writing
// process follows it.
const tempPrefix = ".client-"

// prepareFile writes text to a temporary file beside path and returns a function that
// renames it to path. It removes temporary files of dead processes.
func prepareFile(path string, text []byte) (put func() error, err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		rest, ok := strings.CutPrefix(entry.Name(), tempPrefix)
		number, _, _ := strings.Cut(rest, "-")
		if pid, err := strconv.Atoi(number); !ok || err != nil || !entry.Type().IsRegular() || apply.Alive(pid) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, entry.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	f, err := os.CreateTemp(dir, fmt.Sprintf("%s%d-*", tempPrefix, os.Getpid()))
	if err != nil {
		return nil, err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return nil, errors.Join(err, os.Remove(f.Name()))
	}
	return func() error {
		err := os.Rename(f.Name(), path)
		if err != nil {
			return errors.Join(err, os.Remove(f.Name()))
		}
		return nil
	}, nil
}

// followAPI returns the function that nexios dev calls with each version that serves:
// it rewrites the project's TypeScript client if the API has changed.
func followAPI() func(ctx context.Context, dir, binary string, env []string) (string, error) {
	var mu sync.Mutex
	return func(ctx context.Context, dir, binary string, env []string) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		text, err := os.ReadFile(filepath.Join(dir, scaffold.SpecFile))
		if err != nil {
			return "", nil // not a nexios project
		}
		project, err := spec.Parse(text)
		if err != nil || project.ClientFile("ts") == "" {
			return "", nil // other commands report it
		}
		file := project.ClientFile("ts")
		at := filepath.Join(dir, filepath.FromSlash(file))
		before, err := readClient(at)
		if err != nil || before == nil { // deleted: no longer wanted
			return "", err
		}
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		defer cancel()
		run := exec.CommandContext(ctx, binary, "openapi")
		run.Dir, run.Env = dir, env
		document, err := run.Output()
		if err != nil {
			return "", fmt.Errorf("%s was not updated: the program's OpenAPI document: %w", file, err)
		}
		now, err := client.TypeScript(document)
		if err != nil || merge.Same(before, now) {
			return "", err
		}
		return file + " updated: the API changed", replaceFile(at, now)
	}
}
