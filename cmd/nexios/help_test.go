package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// TestHelpFits checks that the help of every command and topic fits 80 columns.
func TestHelpFits(t *testing.T) {
	count := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		words := append([]string{"help"}, strings.Fields(cmd.CommandPath())[1:]...)
		var out, stderr bytes.Buffer
		if code := run(context.Background(), words, strings.NewReader(""), &out, &stderr); code != 0 || out.Len() == 0 {
			t.Errorf("nexios %s: exit %d\n%s", strings.Join(words, " "), code, &stderr)
		}
		for line := range strings.Lines(out.String()) {
			if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
				t.Errorf("nexios %s has a line of %d columns: %s", strings.Join(words, " "), n, line)
			}
		}
		count++
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(rootCommand())
	if count < 80 {
		t.Errorf("read the help of only %d commands", count)
	}
}

// TestJSONIsDocumented finds every command in the topic json, by its own name or by that
// of the command above it.
func TestJSONIsDocumented(t *testing.T) {
	documented := map[string]bool{
		"dev": true, "routes": true, // in its first paragraph
		"mcp": true, "db console": true, "completion": true, "help": true, // they speak another language
	}
	for line := range strings.Lines(jsonTopic().Long) {
		names, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
		for name := range strings.SplitSeq(names, ",") {
			documented[strings.TrimSpace(name)] = true
		}
	}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		words := strings.Fields(cmd.CommandPath())[1:]
		path := strings.Join(words, " ")
		if cmd.Runnable() && !cmd.HasSubCommands() && !documented[path] && !documented[words[0]] {
			t.Errorf("nexios help json (json.go) does not say what nexios %s --json writes", path)
		}
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	for _, cmd := range rootCommand().Commands() {
		walk(cmd)
	}
}
