// Package spec holds what the user said about a project, and nothing that can
// be derived from it. It is pure: words in, values or a *problem.Error out. The file
// nexios.json of a project is a Project.
package spec

import (
	"slices"
	"strings"
)

// Project is what the user said about a project.
type Project struct {
	Nexios    string     `json:"nexios"`   // version of the tool that wrote it
	Name      string     `json:"name"`     // "blog"
	Module    string     `json:"module"`   // Go module path
	Database  string     `json:"database"` // sqlite, postgres or mysql: the default of DATABASE_URL
	Resources []Resource `json:"resources,omitempty"`
	Features  []Feature  `json:"features,omitempty"`
	Dropped   []Dropped  `json:"dropped,omitempty"` // what was removed, oldest first
	Clients   []Client   `json:"clients,omitempty"` // of the API, which follow it
}

// Client is a client of the API that was generated.
type Client struct {
	Language string `json:"language"` // "ts" or "go"
	File     string `json:"file"`     // relative to the project, with slashes; it may be outside
}

// ClientFile is where the client in a language is; "" for none.
func (p Project) ClientFile(language string) string {
	for _, c := range p.Clients {
		if c.Language == language {
			return c.File
		}
	}
	return ""
}

// WithClient is the project with a client in its place.
func (p Project) WithClient(c Client) Project {
	p.Clients = slices.DeleteFunc(slices.Clone(p.Clients), func(other Client) bool { return other.Language == c.Language })
	p.Clients = append(p.Clients, c)
	return p
}

// Dropped is a part that was removed. Its migrations stay, since databases have
// them; one more takes them back.
type Dropped struct {
	What      string `json:"what"`               // the table of a resource, or the name of a feature
	Migration string `json:"migration"`          // when: "20261121101500"
	Restored  string `json:"restored,omitempty"` // when the feature came again
}

// Feature is a part that was added to the project.
type Feature struct {
	Name    string            `json:"name"`
	Options map[string]string `json:"options,omitempty"`
	// Packages and Tables are what it brings: no resource can have them. The
	// catalog fills them in; the record does not hold them.
	Packages []string `json:"-"`
	Tables   []string `json:"-"`
}

// Package is the package that the option "name" names: its words in one; "" where it
// names none.
func (f Feature) Package() string { return strings.Join(Words(f.Options["name"]), "") }

// Resource is a table of the project and, unless ModelOnly, the routes that
// serve it.
//
// One word names everything of a resource: its plural. Posts are the table
// posts, the URL /posts, the package, folder and file posts. Where the word is
// two, each place writes them its own way: the table is blog_posts, as SQL
// has it, the URL /blog-posts, and the package, folder and file blogposts, as
// Go has it; so no two resources may be told apart by their _ alone.
type Resource struct {
	Name       string   `json:"name"`   // singular: "blog_post"
	Plural     string   `json:"plural"` // "blog_posts"; table, URL, package and folder are made of it
	Fields     []string `json:"fields"` // field words in their one normal form
	SoftDelete bool     `json:"soft_delete,omitempty"`
	UUID       bool     `json:"uuid,omitempty"`
	Lock       bool     `json:"lock,omitempty"`   // changing or deleting a row asks for If-Match
	Owner      bool     `json:"owner,omitempty"`  // rows belong to the user who made them
	Read       string   `json:"read,omitempty"`   // with Owner: who reads rows; "all" or "user", and "" for the owner. With Guard: "all", and "" for users
	Write      string   `json:"write,omitempty"`  // with Owner: who changes rows; "user" or "admin", and "" for the owner
	Public     string   `json:"public,omitempty"` // with Owner: a bool field; rows with it true are readable by all
	// UniqueWithin, with Owner, says among which rows unique holds: "owner" for those
	// of one owner, and "" for all. It never changes, as migrations are made by it.
	UniqueWithin string `json:"unique_within,omitempty"`
	// Organisation says that each row belongs to an organisation, whose members
	// use it; Guard is then "", or "admin" for rows that only admins change.
	Organisation bool       `json:"organisation,omitempty"`
	Table        string     `json:"table,omitempty"`      // when it is not Plural
	Only         []string   `json:"only,omitempty"`       // the actions served; all when empty
	ModelOnly    bool       `json:"model_only,omitempty"` // no routes
	Guard        string     `json:"guard,omitempty"`      // without Owner: "none" (as ""), "user" or "admin"
	Migration    string     `json:"migration,omitempty"`  // when it was added: "20261121101500"
	Added        []Addition `json:"added,omitempty"`      // fields that came later, oldest first
	Changed      []Change   `json:"changed,omitempty"`    // what became of others since, oldest first
	Indexes      []string   `json:"indexes,omitempty"`    // of several fields: "author,slug:unique"
	Existing     *Existing  `json:"existing,omitempty"`   // of a table that was there before
	Version      string     `json:"version,omitempty"`    // of its routes, where there are older ones: "v2"
	Older        []Version  `json:"older,omitempty"`      // the versions before, oldest first
	Former       []Former   `json:"former,omitempty"`     // what it was called before, oldest first
	// Joins are the tables of many fields that kept their names when it was renamed,
	// by the field's name.
	Joins map[string]Join `json:"joins,omitempty"`
}

// TableName is the resource's table in the database.
func (r Resource) TableName() string {
	if r.Table != "" {
		return r.Table
	}
	return r.Plural
}

// Parsed returns the fields of a settled resource.
func (r Resource) Parsed() ([]Field, error) {
	fields := make([]Field, len(r.Fields))
	for i, word := range r.Fields {
		f, err := readField(word)
		if err != nil {
			return nil, err
		}
		fields[i] = f
	}
	return fields, nil
}

// Serves reports whether the resource has the action: list, create, bulk, show,
// update or delete.
func (r Resource) Serves(action string) bool {
	return !r.ModelOnly && (len(r.Only) == 0 || slices.Contains(r.Only, action))
}

// Actions are what a resource can serve.
func Actions() []string {
	return []string{"list", "create", "bulk", "show", "update", "delete"}
}

// HasFeature reports whether the feature was added.
func (p Project) HasFeature(name string) bool {
	return slices.ContainsFunc(p.Features, func(f Feature) bool { return f.Name == name })
}
