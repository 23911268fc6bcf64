// Package spec holds what the user declared about a project, and nothing that can be
// derived from it. It is pure: it turns definitions into values or a *problem.Error. The
// file nexios.json of a project is a [Project].
package spec

import (
	"slices"
	"strings"
)

// Project is the user's declaration of a project.
type Project struct {
	Nexios    string     `json:"nexios"`   // version of nexios that wrote it
	Name      string     `json:"name"`     // "blog"
	Module    string     `json:"module"`   // Go module path
	Database  string     `json:"database"` // sqlite, postgres or mysql: the default of DATABASE_URL
	Resources []Resource `json:"resources,omitempty"`
	Features  []Feature  `json:"features,omitempty"`
	Dropped   []Dropped  `json:"dropped,omitempty"` // removed parts, oldest first
	Clients   []Client   `json:"clients,omitempty"` // generated API clients, which nexios keeps up to date
}

// Client is a generated client of the API.
type Client struct {
	Language string `json:"language"` // "ts" or "go"
	File     string `json:"file"`     // relative to the project, with slashes; may be outside it
}

// ClientFile returns the file of the client in a language, or "".
func (p Project) ClientFile(language string) string {
	for _, c := range p.Clients {
		if c.Language == language {
			return c.File
		}
	}
	return ""
}

// WithClient returns the project with c in place of the client in the same language.
func (p Project) WithClient(c Client) Project {
	p.Clients = slices.DeleteFunc(slices.Clone(p.Clients), func(other Client) bool { return other.Language == c.Language })
	p.Clients = append(p.Clients, c)
	return p
}

// Dropped is a removed part. Its migrations stay, since databases have applied them;
// another migration reverts them.
type Dropped struct {
	What      string `json:"what"`               // the table of a resource, or the name of a feature
	Migration string `json:"migration"`          // its timestamp: "20261121101500"
	Restored  string `json:"restored,omitempty"` // when the feature was added again
}

// Feature is an optional part that was added to the project.
type Feature struct {
	Name    string            `json:"name"`
	Options map[string]string `json:"options,omitempty"`
	// Packages and Tables are reserved for the feature; no resource can have them. The
	// catalog sets them; they are not recorded.
	Packages []string `json:"-"`
	Tables   []string `json:"-"`
}

// Package returns the package named by the option "name", its words joined; "" without
// that option.
func (f Feature) Package() string { return strings.Join(Words(f.Options["name"]), "") }

// Resource is a table of the project and, unless ModelOnly, the routes that serve it.
//
// The plural names everything of a resource. For posts, it is the table posts, the URL
// /posts, and the package, folder and file posts. A plural of two words is written by the
// convention of each place: the table blog_posts, the URL /blog-posts, and the package,
// folder and file blogposts. So two resources must not differ in underscores only.
type Resource struct {
	Name       string   `json:"name"`   // singular: "blog_post"
	Plural     string   `json:"plural"` // "blog_posts"; names the table, URL, package and folder
	Fields     []string `json:"fields"` // field definitions in their canonical form
	SoftDelete bool     `json:"soft_delete,omitempty"`
	UUID       bool     `json:"uuid,omitempty"`
	Lock       bool     `json:"lock,omitempty"`   // updates and deletes of a row require If-Match
	Owner      bool     `json:"owner,omitempty"`  // rows belong to the user who created them
	Read       string   `json:"read,omitempty"`   // with Owner: who reads rows; "all" or "user", and "" for the owner. With Guard: "all", and "" for users
	Write      string   `json:"write,omitempty"`  // with Owner: who changes rows; "user" or "admin", and "" for the owner
	Public     string   `json:"public,omitempty"` // with Owner: a bool field; everyone can read rows where it is true
	// UniqueWithin, with Owner, is the scope of unique: "owner" for the rows of one owner,
	// and "" for all. It never changes, since migrations depend on it.
	UniqueWithin string `json:"unique_within,omitempty"`
	// Organisation makes each row belong to an organisation and accessible to its members.
	// Guard is then "", or "admin" if only admins may change rows.
	Organisation bool       `json:"organisation,omitempty"`
	Table        string     `json:"table,omitempty"`      // if it is not Plural
	Only         []string   `json:"only,omitempty"`       // the actions served; all if empty
	ModelOnly    bool       `json:"model_only,omitempty"` // no routes
	Guard        string     `json:"guard,omitempty"`      // without Owner: "none" (as ""), "user" or "admin"
	Migration    string     `json:"migration,omitempty"`  // timestamp of its migration: "20261121101500"
	Added        []Addition `json:"added,omitempty"`      // fields added later, oldest first
	Changed      []Change   `json:"changed,omitempty"`    // later changes, oldest first
	Indexes      []string   `json:"indexes,omitempty"`    // over several fields: "author,slug:unique"
	Existing     *Existing  `json:"existing,omitempty"`   // for a table that existed before the resource
	Version      string     `json:"version,omitempty"`    // of its routes, if there are older ones: "v2"
	Older        []Version  `json:"older,omitempty"`      // the older versions, oldest first
	Former       []Former   `json:"former,omitempty"`     // its former names, oldest first
	// Joins has the join tables of many fields that kept their names when the resource was
	// renamed, by field name.
	Joins map[string]Join `json:"joins,omitempty"`
}

// TableName is the resource's table in the database.
func (r Resource) TableName() string {
	if r.Table != "" {
		return r.Table
	}
	return r.Plural
}

// Parsed returns the fields of a normalized resource.
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

// Actions returns the actions that a resource can serve.
func Actions() []string {
	return []string{"list", "create", "bulk", "show", "update", "delete"}
}

// HasFeature reports whether the feature was added.
func (p Project) HasFeature(name string) bool {
	return slices.ContainsFunc(p.Features, func(f Feature) bool { return f.Name == name })
}
