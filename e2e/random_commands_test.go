package e2e

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestRandomCommands runs commands in random order, and reverts every one: undo(apply(x))
// is x, byte for byte, and repeating a command changes nothing.
func TestRandomCommands(t *testing.T) {
	t.Parallel()
	commands := strings.Split(strings.TrimSpace(`
add resource tag name:string:unique
add resource post title:string:min=3:search body:text tags:many=tags
add resource note body:text --soft-delete --uuid
add model mark n:int
add resource comment body:text post:ref=posts
add resource secret text:string --owner
add resource team name:string:unique --organisation
add resource player name:string team:ref=teams --organisation --guard admin
add field post subtitle:string:optional views:int:default=0:filter
add field post comments:has=comments
add field note slug:slug:optional:unique label:string:array
add field tag note:ref=notes:optional
add field mark m:int:default=1
add field comment marks:many=marks
add jobs
add auth --with none
add uploads
add organisations
add websocket chat
add tour
add pages
remove resource comment
remove resource post
remove resource tag
remove resource note
remove resource secret
remove resource player
remove resource team
remove model mark
remove auth
remove uploads
remove organisations
remove mail
remove jobs
remove websocket
remove tour
remove pages
upgrade
`), "\n")
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed, 7))
			p := newProject(t, "shop")
			trees := []map[string]string{p.tree()}
			var done []string
			for len(done) < 16 {
				command := commands[random.IntN(len(commands))]
				before := p.tree()
				out, code := p.try(tool, strings.Fields(command)...)
				switch {
				case code == 2 || strings.Contains(out, "nothing to do"): // not applicable now
					sameTree(t, before, p.tree())
				case code != 0:
					t.Fatalf("after %s\n%s: exit %d\n%s", strings.Join(done, "\n"), command, code, out)
				default:
					done = append(done, command)
					trees = append(trees, p.tree())
					if verb, _, _ := strings.Cut(command, " "); verb == "add" {
						if out := p.nexios(strings.Fields(command)...); !strings.Contains(out, "nothing to do") {
							t.Fatalf("%s, repeated:\n%s", command, out)
						}
					}
				}
			}
			if out := p.nexios("upgrade"); !strings.Contains(out, "nothing to do") {
				t.Errorf("after %s\nan upgrade to the same version changes something:\n%s", strings.Join(done, "\n"), out)
			}
			if seed == 0 {
				p.run("go", "vet", "./...")
				p.run("go", "run", ".", "migrate", "up")
				p.run("go", "run", ".", "migrate", "redo")
			}
			for i := len(trees) - 2; i >= 0; i-- {
				p.nexios("undo")
				sameTree(t, trees[i], p.tree())
			}
			if t.Failed() {
				t.Logf("commands:\n%s", strings.Join(done, "\n"))
			}
		})
	}
}
