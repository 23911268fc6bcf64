package db_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
	"github.com/nexios-go/nexios/runtime/db"
)

// TestBackup copies a database during writes and opens the copy: it is complete and
// consistent.
func TestBackup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	gdb := open(t, "sqlite:"+filepath.Join(dir, "app.db"))
	must(t, gdb.Migrator().CreateTable(&Counter{}))
	must(t, gdb.Create(&[]Counter{{N: 1}, {N: 1}}).Error)
	stop, done := make(chan bool), make(chan error, 1)
	go func() { // both rows always have the same value
		for {
			select {
			case <-stop:
				done <- nil
				return
			default:
				if err := gdb.Model(&Counter{}).Where("TRUE").Update("n", gorm.Expr("n + 1")).Error; err != nil {
					done <- err
					return
				}
			}
		}
	}()
	backup := func(args ...string) error {
		for _, c := range db.Commands(gdb, nil) {
			if c.Name == "backup" {
				return c.Run(t.Context(), command.IO{Args: args, Stdout: new(bytes.Buffer)})
			}
		}
		t.Fatal("there is no command backup")
		return nil
	}
	file := filepath.Join(dir, "a 'quoted' backup.db")
	must(t, os.WriteFile(file+".part", []byte("left by a killed backup"), 0o600))
	must(t, backup(file))
	close(stop)
	must(t, <-done)
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		t.Errorf("readable by others: %v, %v", info.Mode(), err)
	}
	restored := open(t, "sqlite:"+file)
	var rows []Counter
	must(t, restored.Order("id").Find(&rows).Error)
	if len(rows) != 2 || rows[0].N != rows[1].N || rows[0].N < 1 {
		t.Errorf("the copy has %v", rows)
	}
	var sound string
	must(t, restored.Raw("PRAGMA integrity_check").Scan(&sound).Error)
	if sound != "ok" {
		t.Error(sound)
	}
	if err := backup(file); err == nil || !strings.Contains(err.Error(), "already exists") {
		t.Errorf("existing backup: %v", err)
	}
	if err := backup(); command.ExitCode(err) != command.Misused {
		t.Errorf("without a name: %v", err)
	}
	if err := backup(filepath.Join(dir, "none", "backup.db")); err == nil {
		t.Error("no error for a missing directory")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Backup(ctx, gdb, filepath.Join(dir, "cancelled.db")); err == nil {
		t.Error("no error after cancel")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.part")); err != nil || len(left) > 0 {
		t.Errorf("files left: %v, %v", left, err)
	}
}
