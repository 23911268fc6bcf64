package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// completeFlag lets a shell complete a flag that takes one of the words.
func completeFlag(cmd *cobra.Command, flag string, words []string) {
	// It fails only for a flag that is not there or is completed already.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// described are choices with what is said about them, as shells show it.
func described(choices []string, about map[string]string) []string {
	words := make([]string, len(choices))
	for i, choice := range choices {
		words[i] = choice
		if text := about[choice]; text != "" {
			words[i] = cobra.CompletionWithDesc(choice, text)
		}
	}
	return words
}

// completeField completes a field word: a type after the first colon, a table
// after a relation's =, modifiers after that. dir is where --dir will be.
func completeField(dir *string) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		const more = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
		colon := strings.LastIndexByte(word, ':')
		if len(args) == 0 || colon < 0 {
			return nil, more
		}
		head, last := word[:colon+1], word[colon+1:]
		var words []string
		switch relation, _, ok := strings.Cut(last, "="); {
		case ok && strings.Count(word, ":") == 1 && (spec.Field{Type: relation}).Relation():
			for _, table := range tablesIn(*dir) {
				words = append(words, head+relation+"="+table)
			}
		case strings.Count(word, ":") == 1:
			for _, t := range spec.Types() {
				words = append(words, cobra.CompletionWithDesc(head+t.Name+equals(t.Arg == "must"), t.Doc))
			}
		default:
			for _, m := range spec.Modifiers() {
				words = append(words, cobra.CompletionWithDesc(head+m[0]+equals(m[1] != ""), aboutModifier(m[0])))
			}
		}
		return words, more
	}
}

func equals(wanted bool) string {
	if wanted {
		return "="
	}
	return ""
}

// resourcesIn are the resources and models of a project; none outside of one.
func resourcesIn(dir string) []string {
	var names []string
	for _, r := range projectIn(dir).Resources {
		names = append(names, cobra.CompletionWithDesc(r.Name, strings.Join(r.Fields, " ")))
	}
	return names
}

// tablesIn are the tables that a relation can point at; none outside of a
// project.
func tablesIn(dir string) []string {
	project := projectIn(dir)
	if project.Name == "" {
		return nil
	}
	var names []string
	for _, t := range project.Tables() {
		names = append(names, t.Plural)
	}
	return names
}

// projectIn is the project in dir, or in none.
func projectIn(dir string) spec.Project {
	dir, err := findProject(dir)
	if err != nil {
		return spec.Project{}
	}
	folder, err := apply.Look(dir)
	if err != nil {
		return spec.Project{}
	}
	open, err := readOpened(folder, dir)
	if err != nil {
		return spec.Project{}
	}
	open.Close()
	return open.spec
}
