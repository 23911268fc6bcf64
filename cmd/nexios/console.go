package main

import (
	"cmp"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/nexios-go/nexios/runtime/config"
	"github.com/nexios-go/nexios/runtime/db"
	"github.com/nexios-go/nexios/runtime/db/address"
	"github.com/nexios-go/nexios/scaffold/problem"
)

func dbConsoleCommand() *cobra.Command {
	return reader(&cobra.Command{
		Use:   "console",
		Short: "Open the database's own client: psql, mariadb or sqlite3",
		Long: `Open a client for the database in DATABASE_URL, from the environment or .env:
psql, mariadb or mysql, or sqlite3. The password is passed in the environment,
where other users of the machine cannot see it. SQL on standard input is run.`,
		Example: "  nexios db console\n  echo 'SELECT count(*) FROM posts' | nexios db console",
		Args:    noArgs,
	}, func(cmd *cobra.Command, open opened, _ []string) error {
		at, err := databaseURL(open.dir, "sqlite:data/"+open.spec.Name+".db")
		if err != nil {
			return err
		}
		c, err := clientOf(at)
		if err != nil {
			return err
		}
		return c.run(cmd, open.dir)
	})
}

// databaseURL returns the DATABASE_URL that the program in dir would use.
func databaseURL(dir, otherwise string) (string, error) {
	file := map[string]string{}
	if name := os.Getenv("APP_ENV"); name == "" || name == "development" { // otherwise the program does not read .env
		var err error
		if file, err = config.ReadFile(filepath.Join(dir, ".env")); err != nil {
			return "", err
		}
	}
	at := cmp.Or(os.Getenv("DATABASE_URL"), file["DATABASE_URL"], otherwise)
	if err := db.Check(at); err != nil {
		return "", &problem.Error{Kind: problem.Failure, What: parts(err).What, Where: "the environment, or " + filepath.Join(dir, ".env"), Try: "DATABASE_URL=" + otherwise}
	}
	return at, nil
}

// dbClient describes a database's command-line client and how to run it.
type dbClient struct {
	programs []string            // in order of preference
	args     map[string][]string // by program
	env      []string
	file     string            // must exist, unless empty
	install  map[string]string // command that installs it, by operating system; "" is the default
}

// clientOf returns the client for a database URL that db.Check accepts.
func clientOf(at string) (dbClient, error) {
	scheme, rest, _ := strings.Cut(at, ":")
	switch scheme {
	case "sqlite":
		return sqliteClient(strings.TrimPrefix(rest, "//"))
	case "mysql", "mariadb":
		return mysqlClient(address.Escape(at))
	}
	return postgresClient(address.Escape(at))
}

func sqliteClient(file string) (dbClient, error) {
	if file == ":memory:" {
		return dbClient{}, &problem.Error{Kind: problem.Failure, What: "an in-memory database is private to the program", Where: "DATABASE_URL", Try: "DATABASE_URL=sqlite:data/app.db"}
	}
	return dbClient{
		programs: []string{"sqlite3"},
		// As in the program: wait for other writers, and enforce foreign keys.
		args:    map[string][]string{"sqlite3": {"-cmd", ".timeout 5000", "-cmd", "PRAGMA foreign_keys = ON", file}},
		file:    file,
		install: map[string]string{"": "apt-get install sqlite3", "darwin": "brew install sqlite", "windows": "winget install SQLite.SQLite"},
	}, nil
}

func postgresClient(at string) (dbClient, error) {
	c, err := pgx.ParseConfig(at)
	if err != nil {
		return dbClient{}, errors.New("DATABASE_URL cannot be read as a PostgreSQL URL") // the parser's message may contain the password
	}
	u, err := url.Parse(at)
	if err != nil {
		return dbClient{}, errors.New("DATABASE_URL cannot be read as a PostgreSQL URL")
	}
	env := []string{"PGHOST=" + c.Host, "PGPORT=" + strconv.Itoa(int(c.Port)), "PGUSER=" + c.User, "PGDATABASE=" + c.Database}
	if c.Password != "" {
		env = append(env, "PGPASSWORD="+c.Password)
	}
	for _, name := range []string{"sslmode", "sslrootcert", "sslcert", "sslkey"} {
		if value := u.Query().Get(name); value != "" {
			env = append(env, "PG"+strings.ToUpper(name)+"="+value)
		}
	}
	var options []string
	for name, value := range c.RuntimeParams {
		options = append(options, "-c "+name+"="+strings.NewReplacer(`\`, `\\`, " ", `\ `).Replace(value))
	}
	if len(options) > 0 {
		slices.Sort(options)
		env = append(env, "PGOPTIONS="+strings.Join(options, " "))
	}
	return dbClient{
		programs: []string{"psql"}, env: env,
		install: map[string]string{"": "apt-get install postgresql-client", "darwin": "brew install libpq", "windows": "winget install PostgreSQL.PostgreSQL"},
	}, nil
}

func mysqlClient(at string) (dbClient, error) {
	c, err := address.MySQL(at)
	if err != nil {
		return dbClient{}, errors.New("DATABASE_URL cannot be read as a MySQL URL")
	}
	host, port, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return dbClient{}, err
	}
	common := []string{"--protocol=tcp", "--host=" + host, "--port=" + port, "--user=" + c.User, "--database=" + c.DBName, "--default-character-set=utf8mb4",
		"--local-infile=0", // a malicious server must not read files of this machine
	}
	// The TLS settings of the program, as flags of each client.
	mariadb, mysql := []string{"--skip-ssl"}, []string{"--ssl-mode=DISABLED", "--get-server-public-key"}
	switch c.TLSConfig {
	case "true":
		mariadb, mysql = []string{"--ssl", "--ssl-verify-server-cert"}, []string{"--ssl-mode=VERIFY_IDENTITY"}
	case "skip-verify", "preferred":
		mariadb, mysql = []string{"--ssl", "--skip-ssl-verify-server-cert"}, []string{"--ssl-mode=PREFERRED", "--get-server-public-key"}
	}
	return dbClient{
		programs: []string{"mariadb", "mysql"},
		args:     map[string][]string{"mariadb": slices.Concat(common, mariadb), "mysql": slices.Concat(common, mysql)},
		env:      []string{"MYSQL_PWD=" + c.Passwd},
		install:  map[string]string{"": "apt-get install mariadb-client", "darwin": "brew install mariadb", "windows": "winget install MariaDB.Server"},
	}, nil
}

// run runs the client in dir with the standard streams of cmd.
func (c dbClient) run(cmd *cobra.Command, dir string) error {
	var path, name string
	for _, name = range c.programs {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return &problem.Error{
			Kind: problem.Failure, What: strings.Join(c.programs, " or ") + " is not installed", Where: "PATH",
			Try: cmp.Or(c.install[runtime.GOOS], c.install[""]),
		}
	}
	if file := c.file; file != "" {
		if !filepath.IsAbs(file) {
			file = filepath.Join(dir, file)
		}
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) { // the client would create an empty one
			return &problem.Error{Kind: problem.Failure, What: "the database does not exist yet", Where: file, Try: "go run . migrate up"}
		}
	}
	// Without cmd's context: ctrl-c goes to the client, which uses it to cancel a
	// query.
	client := exec.Command(path, c.args[name]...) // #nosec G204 -- one of programs, without a shell
	client.Dir, client.Env = dir, append(os.Environ(), c.env...)
	client.Stdin, client.Stdout, client.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	err := client.Run()
	if status := (*exec.ExitError)(nil); errors.As(err, &status) {
		return &problem.Error{Kind: problem.Failure, What: name + " ended with " + status.String() + "; see the output above", Where: "DATABASE_URL", Try: "check DATABASE_URL, and that the database is running"}
	}
	return err
}
