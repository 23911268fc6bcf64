package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"gorm.io/gorm"

	"github.com/nexios-go/nexios/runtime/command"
)

// backupCommand returns the command `backup FILE` for gdb.
func backupCommand(gdb *gorm.DB) command.Command {
	return command.Command{
		Name: "backup", Args: "FILE", Summary: "copy the SQLite database to a new file, even while it is served",
		Help: "To restore, stop the program and put the file in the database's place, without\n" +
			"the files -wal and -shm that were beside it. Uploads in a folder are copied like\n" +
			"any other files, after the database. For a database server use its own program:\n" +
			"pg_dump, mariadb-dump.",
		Run: func(ctx context.Context, io command.IO) error {
			if len(io.Args) != 1 {
				return command.Usage("backup takes the name of a new file\n  try:   backup backup.db")
			}
			if err := Backup(ctx, gdb, io.Args[0]); err != nil {
				return err
			}
			fmt.Fprintln(io.Stdout, "backed up to", io.Args[0])
			return nil
		},
	}
}

// Backup copies a SQLite database to a new file, in one consistent state. Others
// can read and write the database meanwhile. The file appears only when it is
// complete.
func Backup(ctx context.Context, gdb *gorm.DB, file string) error {
	if gdb.Name() != "sqlite" {
		program := map[string]string{"postgres": "pg_dump", "mysql": "mariadb-dump"}[gdb.Name()]
		return fmt.Errorf("backup is for SQLite\n  where: DATABASE_URL\n  try:   %s", program)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fmt.Errorf("%s already exists\n  try:   another name", file)
		}
		return err
	}
	part := file + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := gdb.WithContext(System(ctx)).Exec("VACUUM INTO ?", part).Error
	if err == nil {
		err = syncFile(part)
	}
	if err == nil {
		err = os.Rename(part, file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("the database cannot be copied: %w", err), os.RemoveAll(part))
	}
	return nil
}

// syncFile syncs a file to disk and makes it readable by its owner only.
func syncFile(name string) error {
	f, err := os.OpenFile(name, os.O_RDWR, 0) // #nosec G304 -- the caller's own
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Sync(), f.Close())
}
