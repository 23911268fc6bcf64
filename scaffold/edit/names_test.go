package edit

import "testing"

func TestRenamed(t *testing.T) {
	const base = `package app

const api = "/api/v1"

func modules(cfg Config, gdb *gorm.DB, log *slog.Logger) []web.Module {
	queue := jobs.New(gdb, log)
	return []web.Module{jobs.Module(queue)}
}
`
	const text = "posts.Module(cfg.Posts, gdb, queue, log).Under(api)"
	for _, c := range []struct{ name, yours, want string }{
		{"as it was", base, text},
		{"a parameter", `package app

const api = "/api/v1"

func modules(cfg Config, database *gorm.DB, log *slog.Logger) []web.Module {
	queue := jobs.New(database, log)
	return nil
}
`, "posts.Module(cfg.Posts, database, queue, log).Under(api)"},
		{"all, in another order", `package app

const prefix = "/api/v1"

func modules(logger *slog.Logger, db *gorm.DB, c Config) []web.Module {
	work := jobs.New(db, logger)
	return nil
}
`, "posts.Module(c.Posts, db, work, logger).Under(prefix)"},
		{"two of a type cannot be told apart", `package app

const api = "/api/v1"

func modules(cfg Config, read, write *gorm.DB, log *slog.Logger) []web.Module { return nil }
`, text},
		{"another value is another thing", `package app

const prefix = "/v2"

func modules(cfg Config, gdb *gorm.DB, log *slog.Logger) []web.Module { return nil }
`, text},
		{"no such function", "package app\n", text},
		{"no Go", "package", text},
	} {
		if got := Renamed([]byte(base), []byte(c.yours), "modules", text); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
	// A field of the same name is not renamed.
	if got := replaced("x.gdb.Do(gdb)", map[string]string{"gdb": "db"}); got != "x.gdb.Do(db)" {
		t.Errorf("got %s", got)
	}
}
