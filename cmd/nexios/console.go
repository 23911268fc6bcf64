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

// databaseURL is what the program in dir takes for DATABASE_URL.
func databaseURL(dir, otherwise string) (string, error) {
	file := map[string]string{}
	if name := os.Getenv("APP_ENV"); name == "" || name == "development" { // else the program reads no file
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

// dbClient is a database's own client, and what it has to be told.
type dbClient struct {
	programs []string            // the first that is installed is run
	args     map[string][]string // of each program
	env      []string
	file     string            // that has to be there
	install  map[string]string // by operating system; "" for the others
}

// clientOf is the client of a database whose address db.Check accepts.
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
		// As the program does: others wait for who writes, and references hold.
		args:    map[string][]string{"sqlite3": {"-cmd", ".timeout 5000", "-cmd", "PRAGMA foreign_keys = ON", file}},
		file:    file,
		install: map[string]string{"": "apt-get install sqlite3", "darwin": "brew install sqlite", "windows": "winget install SQLite.SQLite"},
	}, nil
}

func postgresClient(at string) (dbClient, error) {
	c, err := pgx.ParseConfig(at)
	if err != nil {
		return dbClient{}, errors.New("DATABASE_URL cannot be read as a PostgreSQL URL") // what the parser says may hold the password
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
	both := []string{"--protocol=tcp", "--host=" + host, "--port=" + port, "--user=" + c.User, "--database=" + c.DBName, "--default-character-set=utf8mb4",
		"--local-infile=0", // a server that is not what it seems reads no files of this machine
	}
	// What the program does about TLS, in the words of each client.
	mariadb, mysql := []string{"--skip-ssl"}, []string{"--ssl-mode=DISABLED", "--get-server-public-key"}
	switch c.TLSConfig {
	case "true":
		mariadb, mysql = []string{"--ssl", "--ssl-verify-server-cert"}, []string{"--ssl-mode=VERIFY_IDENTITY"}
	case "skip-verify", "preferred":
		mariadb, mysql = []string{"--ssl", "--skip-ssl-verify-server-cert"}, []string{"--ssl-mode=PREFERRED", "--get-server-public-key"}
	}
	return dbClient{
		programs: []string{"mariadb", "mysql"},
		args:     map[string][]string{"mariadb": slices.Concat(both, mariadb), "mysql": slices.Concat(both, mysql)},
		env:      []string{"MYSQL_PWD=" + c.Passwd},
		install:  map[string]string{"": "apt-get install mariadb-client", "darwin": "brew install mariadb", "windows": "winget install MariaDB.Server"},
	}, nil
}

// run runs the client in dir, on the terminal of nexios.
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
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) { // the client would make an empty one
			return &problem.Error{Kind: problem.Failure, What: "the database does not exist yet", Where: file, Try: "go run . migrate up"}
		}
	}
	// Not with cmd's context: ctrl-c is the client's own, to end a query with.
	client := exec.Command(path, c.args[name]...) // #nosec G204 -- one of programs, without a shell
	client.Dir, client.Env = dir, append(os.Environ(), c.env...)
	client.Stdin, client.Stdout, client.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	err := client.Run()
	if status := (*exec.ExitError)(nil); errors.As(err, &status) {
		return &problem.Error{Kind: problem.Failure, What: name + " ended with " + status.String() + "; see the output above", Where: "DATABASE_URL", Try: "check DATABASE_URL, and that the database is running"}
	}
	return err
}
