// Package axe checks pages in a browser with axe-core
// (https://github.com/dequelabs/axe-core).
package axe

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/nexios-go/nexios/e2e/services"
)

// Axe is the text of axe-core.
type Axe string

// Load returns axe-core, which is one of the npm packages of a folder.
func Load(t testing.TB, folder string) Axe {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(services.NPM(t, folder), "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal(err)
	}
	return Axe(text)
}

// Check fails the test for each rule that what the browser of ctx shows violates.
func (a Axe) Check(t testing.TB, ctx context.Context, what string) {
	t.Helper()
	report, err := chromedp.Run(ctx, chromedp.Evaluate[string](string(a)+`;
		axe.run().then(r => JSON.stringify(r.violations.map(v => ({id: v.id, impact: v.impact,
			nodes: v.nodes.map(n => n.target.join(" ") + " " + (n.any[0]?.message ?? n.none[0]?.message ?? ""))}))))`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	var violations []struct {
		ID, Impact string
		Nodes      []string
	}
	if err := json.Unmarshal([]byte(report), &violations); err != nil {
		t.Fatal(err)
	}
	for _, v := range violations {
		t.Errorf("%s: %s (%s), %d times:\n  %s", what, v.ID, v.Impact, len(v.Nodes), strings.Join(v.Nodes[:min(6, len(v.Nodes))], "\n  "))
	}
}
