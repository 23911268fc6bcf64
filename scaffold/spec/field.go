package spec

// Field is one field word, parsed.
type Field struct {
	Name string
	Type string
	Arg  string
	Mods map[string]string
}

// ParseField reads name:type[:modifier...].
func ParseField(word string) (Field, error) { return Field{}, nil }
