package db_test

import (
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/db"
)

// Invalid settings of a replica are errors of Open.
func TestInvalidReadReplicas(t *testing.T) {
	at := address(t, "sqlite")
	for main, read := range map[string]string{at: "postgres://localhost/x", "postgres://localhost/x": at, "postgres://localhost/y": "nothing"} {
		_, err := db.Open(main, db.Options{Config: db.Config{ReadURL: read}})
		if err == nil || !strings.HasPrefix(err.Error(), "DATABASE_READ_URL") || !strings.Contains(err.Error(), "\n  try: ") {
			t.Errorf("read %s, main %s: %v", read, main, err)
		}
	}
	if _, ok := db.ReplicaOf(open(t, at)); ok {
		t.Error("ReplicaOf found a replica")
	}
}
