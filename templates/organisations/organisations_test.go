package organisations

import (
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/spec"
)

func TestGeneratedFiles(t *testing.T) {
	var got []string
	err := fs.WalkDir(files, "files", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			got = append(got, strings.TrimPrefix(path, "files/"))
		}
		return err
	})
	want := []string{
		"internal/migrations/20260101000400_create_organisations.go",
		"internal/model/invitation.go", "internal/model/membership.go", "internal/model/organisation.go",
		"internal/organisations/input.go", "internal/organisations/invitations.go", "internal/organisations/invitations_test.go",
		"internal/organisations/mails/invitation.html", "internal/organisations/mails/invitation.txt", "internal/organisations/mails/layout.html",
		"internal/organisations/members.go", "internal/organisations/organisations.go", "internal/organisations/organisations_test.go",
		"internal/organisations/outbox.go",
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
}

func TestReservedTables(t *testing.T) {
	for _, c := range []struct {
		resource spec.Resource
		ok       bool
	}{
		{spec.Resource{Name: "post", Plural: "posts"}, true},
		{spec.Resource{Name: "invitation", Plural: "invitations"}, false},
		{spec.Resource{Name: "invitation", Plural: "invitations", Table: "cards"}, false},
		{spec.Resource{Name: "club", Plural: "clubs", Table: "organisations"}, false},
	} {
		if err := check(spec.Project{Resources: []spec.Resource{c.resource}}, spec.Feature{}); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c.resource, err)
		}
	}
}
