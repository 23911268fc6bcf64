package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// git runs git in dir without running programs that the repository configures: a
// project that was cloned, or unpacked with its .git, is not trusted. Settings of the
// system and of the user apply.
func git(ctx context.Context, dir string, args ...string) ([]byte, error) {
	// Listing the settings runs nothing.
	names, err := plainGit(ctx, dir, "config", "--list", "--show-scope", "--name-only", "-z", "--includes")
	if err != nil {
		return nil, err
	}
	var safe []string
	for set := range slices.Chunk(strings.Split(strings.TrimSuffix(string(names), "\x00"), "\x00"), 2) {
		if scope := set[0]; len(set) < 2 || scope != "local" && scope != "worktree" {
			continue
		}
		name := set[1]
		switch section, key, _ := strings.Cut(name, "."); {
		case section != "filter":
		case strings.Contains(name, "="): // not expressible with -c
			return nil, fmt.Errorf("git is set to run a program here, as %q", name)
		case strings.HasSuffix(key, ".required"):
			safe = append(safe, "-c", name+"=false")
		default: // a program
			safe = append(safe, "-c", name+"=")
		}
	}
	return plainGit(ctx, dir, append(safe, args...)...)
}

// plainGit runs git without programs that git itself would start: no hooks, no file
// system monitor, no fetching, no implicit bare repositories, and no writes to the
// index.
func plainGit(ctx context.Context, dir string, args ...string) ([]byte, error) {
	return plainGitCommand(ctx, dir, args...).Output()
}

func plainGitCommand(ctx context.Context, dir string, args ...string) *exec.Cmd {
	run := exec.CommandContext(ctx, "git", append([]string{
		"-c", "core.fsmonitor=false",
		"-c", "core.hooksPath=" + os.DevNull,
		"-c", "core.untrackedCache=false",
		"-c", "core.sshCommand=", "-c", "core.pager=cat", "-c", "core.askPass=",
		"-c", "credential.helper=",
		"-c", "diff.external=",
		"-c", "protocol.allow=never",
		"-c", "status.submoduleSummary=false",
		"-c", "safe.bareRepository=explicit",
		"--no-pager",
	}, args...)...)
	run.Dir = dir
	run.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0", "GIT_NO_LAZY_FETCH=1", "GIT_TERMINAL_PROMPT=0")
	return run
}

// blobs returns the contents of objects named like HEAD:./main.go; missing objects are
// left out.
func blobs(ctx context.Context, dir string, names []string) (map[string][]byte, error) {
	run := plainGitCommand(ctx, dir, "cat-file", "--batch")
	run.Stdin = strings.NewReader(strings.Join(names, "\n") + "\n")
	out, err := run.Output()
	if err != nil {
		return nil, fmt.Errorf("git cat-file: %w", err)
	}
	texts := map[string][]byte{}
	for _, name := range names {
		head, rest, _ := bytes.Cut(out, []byte("\n"))
		words := bytes.Fields(head)
		if out = rest; len(words) != 3 { // "missing"
			continue
		}
		size, err := strconv.Atoi(string(words[2]))
		if err != nil || size >= len(rest) {
			return nil, fmt.Errorf("git cat-file: %q", head)
		}
		texts[name] = append([]byte{}, rest[:size]...)
		out = rest[size+1:]
	}
	return texts, nil
}

// tracked reports whether git tracks a file at or below a path of the project.
func tracked(ctx context.Context, dir, below string) (bool, error) {
	out, err := git(ctx, dir, "ls-files", "-z", "--", below)
	if errors.Is(err, exec.ErrNotFound) || errors.As(err, new(*exec.ExitError)) {
		return false, nil // no git, or no repository
	}
	return len(bytes.TrimSpace(out)) > 0, err
}
