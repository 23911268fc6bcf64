package plan

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// MarshalJSON writes {"ops": [...]}, never null.
func (p Plan) MarshalJSON() ([]byte, error) {
	ops := p.Ops
	if ops == nil {
		ops = []Op{}
	}
	return json.Marshal(struct {
		Ops []Op `json:"ops"`
	}{ops})
}

// MarshalJSON writes an object with these members, in this order. Members may be added;
// none will change its meaning:
//
//	kind      create, update, identical, conflict, delete, note or then
//	path      the file, relative to the project, with slashes; absent if none
//	before    the text before; absent when there is no file
//	after     the text after; absent when there will be no file
//	encoding  "base64" when before and after are not text; else absent
//	mode      permissions of a created file in octal, as "0755"; absent for "0644"
//	note      the reason, the hint, or the command; absent if none
//
// Texts of identical files are left out.
func (op Op) MarshalJSON() ([]byte, error) {
	out := struct {
		Kind     Kind    `json:"kind"`
		Path     string  `json:"path,omitempty"`
		Before   *string `json:"before,omitempty"`
		After    *string `json:"after,omitempty"`
		Encoding string  `json:"encoding,omitempty"`
		Mode     string  `json:"mode,omitempty"`
		Note     string  `json:"note,omitempty"`
	}{Kind: op.Kind, Path: op.Path, Note: op.Note}
	if op.Mode != 0 && op.Mode != 0o644 {
		out.Mode = fmt.Sprintf("%04o", op.Mode.Perm())
	}
	encode := func(b []byte) string { return string(b) }
	if !utf8.Valid(op.Before) || !utf8.Valid(op.After) {
		out.Encoding, encode = "base64", base64.StdEncoding.EncodeToString
	}
	text := func(b []byte) *string {
		if b == nil || op.Kind == Identical {
			return nil
		}
		s := encode(b)
		return &s
	}
	out.Before, out.After = text(op.Before), text(op.After)
	return json.Marshal(out)
}
