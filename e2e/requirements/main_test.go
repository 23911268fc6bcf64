package main

import (
	"bytes"
	"os"
	"testing"
)

// TestRequirementsAreCurrent fails if go.mod or an import of the runtime changed the
// requirements of projects.
func TestRequirementsAreCurrent(t *testing.T) {
	if testing.Short() {
		t.Skip("asks Go about every kind of project")
	}
	want, err := compute("../..")
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../" + target)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is stale\n  try: make requirements", target)
	}
}
