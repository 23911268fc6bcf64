package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/scaffold/apply"
	"github.com/nexios-go/nexios/scaffold/spec"
)

// completeFlag completes the values of a flag from words.
func completeFlag(cmd *cobra.Command, flag string, words []string) {
	// It fails only if the flag does not exist or has a completion already.
	_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
}

// described returns choices with their descriptions, as shells show them.
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

// completeField completes a field: a type after the first colon, a table after the = of
// a relation, modifiers after that.
func completeField(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	const more = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	colon := strings.LastIndexByte(word, ':')
	if len(args) == 0 || colon < 0 {
		return nil, more
	}
	head, last := word[:colon+1], word[colon+1:]
	var words []string
	switch relation, _, ok := strings.Cut(last, "="); {
	case ok && strings.Count(word, ":") == 1 && (spec.Field{Type: relation}).Relation():
		for _, table := range tablesIn(cmd) {
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

// completeResource completes a resource or model as the first argument.
func completeResource(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return resourcesIn(cmd), cobra.ShellCompDirectiveNoFileComp
}

// completeTemplate completes names of templates.
func completeTemplate(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	dir, _ := cmd.Flags().GetString("dir")
	open, err := openToRead(cmd, dir)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer open.Close()
	list, err := open.catalog.Templates(open.Files())
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, t := range list {
		names = append(names, t.Name)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeNewField completes a resource, then new fields.
func completeNewField(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return completeResource(cmd, args, word)
	}
	return completeField(cmd, args, word)
}

// completeFieldName completes a resource, then its fields.
func completeFieldName(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return completeResource(cmd, args, word)
	}
	r, _ := projectOf(cmd).Resource(args[0])
	var names []string
	for _, word := range r.Fields {
		if name, _, _ := strings.Cut(word, ":"); !slices.Contains(args, name) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

func equals(wanted bool) string {
	if wanted {
		return "="
	}
	return ""
}

// resourcesIn returns the resources and models of the project, or nil outside of one.
func resourcesIn(cmd *cobra.Command) []string {
	var names []string
	for _, r := range projectOf(cmd).Resources {
		names = append(names, cobra.CompletionWithDesc(r.Name, strings.Join(r.Fields, " ")))
	}
	return names
}

// tablesIn returns the tables that a relation can refer to, or nil outside of a
// project.
func tablesIn(cmd *cobra.Command) []string {
	project := projectOf(cmd)
	if project.Name == "" {
		return nil
	}
	var names []string
	for _, t := range project.Tables() {
		names = append(names, t.Plural)
	}
	return names
}

// projectOf returns the project of the command, or the zero value if there is none.
func projectOf(cmd *cobra.Command) spec.Project {
	dir, err := cmd.Flags().GetString("dir")
	if err == nil {
		dir, err = findProject(dir)
	}
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
