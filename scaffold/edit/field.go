package edit

import (
	"fmt"
	"go/ast"
	"slices"
	"strings"
)

// FieldIn adds a field, with its tag if any, to the end of a struct type, unless the
// struct has a field of that name.
func FieldIn(src []byte, structure, field string) ([]byte, error) {
	field = strings.TrimSpace(field)
	missing := &Missing{Line: field, What: fmt.Sprintf("struct %s not found", structure)}
	wanted := fieldNames(field)
	return change(src, missing, func(s *source) ([]splice, error) {
		fields := s.structure(structure)
		if fields == nil {
			return nil, missing
		}
		for _, f := range fields.List {
			for _, name := range namesOf(f) {
				if slices.Contains(wanted, name) {
					return nil, nil
				}
			}
		}
		open, close := s.at(fields.Opening), s.at(fields.Closing)
		line, indent := s.lineStart(close), s.indent(close)
		if line > open && s.blank(line, close) {
			return []splice{{line, line, indent + "\t" + field + "\n"}}, nil
		}
		indent = s.indent(open)
		return []splice{{close, close, "\n" + indent + "\t" + field + "\n" + indent}}, nil
	})
}

// RemoveField removes what FieldIn added, with its trailing comment.
func RemoveField(src []byte, structure, field string) ([]byte, error) {
	field = strings.TrimSpace(field)
	missing := &Missing{Line: field, Remove: true, What: fmt.Sprintf("struct %s has this field with a different definition", structure)}
	wanted := fieldNames(field)
	return change(src, missing, func(s *source) ([]splice, error) {
		fields := s.structure(structure)
		if fields == nil {
			return nil, nil
		}
		for _, f := range fields.List {
			from, to, alone := s.lines(f)
			switch {
			case alone && sameTokens(s.text(f), field):
				if open, close := s.at(fields.Opening)+1, s.at(fields.Closing); s.blank(open, from) && s.blank(to, close) {
					from, to = open, close
				}
				return []splice{{from, to, ""}}, nil
			case slices.ContainsFunc(namesOf(f), func(name string) bool { return slices.Contains(wanted, name) }):
				return nil, missing
			}
		}
		return nil, nil
	})
}

// structure returns the fields of a struct type of the package.
func (s *source) structure(name string) *ast.FieldList {
	for _, decl := range s.tree.Decls {
		group, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range group.Specs {
			if t, ok := spec.(*ast.TypeSpec); ok && t.Name.Name == name {
				if structure, ok := t.Type.(*ast.StructType); ok {
					return structure.Fields
				}
			}
		}
	}
	return nil
}

// fieldNames returns the names that a line of a struct declares.
func fieldNames(line string) []string {
	s, err := parse([]byte("package p\n\ntype t struct {\n" + line + "\n}\n"))
	if err != nil {
		return nil
	}
	var names []string
	for _, f := range s.structure("t").List {
		names = append(names, namesOf(f)...)
	}
	return names
}

// namesOf returns the names of a field; an embedded field is named after its type.
func namesOf(f *ast.Field) []string {
	var names []string
	for _, name := range f.Names {
		names = append(names, name.Name)
	}
	if name := typeName(f.Type); names == nil && name != "" {
		return []string{name}
	}
	return names
}
