// Stdlib is the lower bound that generated code is compared with: the same routes,
// handwritten on net/http and database/sql, with prepared statements and the same pools,
// and nothing else, on SQLite or PostgreSQL. With DRESSED set it also does what the
// contract requires of every response, see withContract.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

type post struct {
	ID        int64     `json:"id"`
	Title     string    `json:"title"`
	Content   string    `json:"content"`
	Published bool      `json:"published"`
	Category  *string   `json:"category"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

type page struct {
	Items   []post `json:"items"`
	Total   int64  `json:"total"`
	Page    int    `json:"page"`
	Limit   int    `json:"limit"`
	Pages   int64  `json:"pages"`
	HasNext bool   `json:"has_next"`
	HasPrev bool   `json:"has_prev"`
}

type server struct {
	get, list, count, create, user *sql.Stmt
	key                            []byte
	returning                      bool // create returns the id
}

const columns = "id, title, content, published, category, created_at, updated_at"

func main() {
	writer, reader, returning := open(os.Getenv("DATABASE_URL"))
	s := server{key: []byte(os.Getenv("APP_SECRET")), returning: returning}
	prepare := func(pool *sql.DB, query string) *sql.Stmt {
		if returning {
			query = numbered(query)
		}
		stmt, err := pool.Prepare(query)
		check(err)
		return stmt
	}
	s.get = prepare(reader, "SELECT "+columns+" FROM posts WHERE id = ?")
	s.list = prepare(reader, "SELECT "+columns+" FROM posts ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?")
	s.count = prepare(reader, "SELECT count(*) FROM posts")
	create := "INSERT INTO posts (title, content, published, category, created_at, updated_at) VALUES (?, ?, ?, ?, ?, ?)"
	if returning {
		create += " RETURNING id"
	}
	s.create = prepare(writer, create)
	if os.Getenv("USERS") != "" {
		s.user = prepare(reader, "SELECT id, username, email, role, is_active, created_at, updated_at FROM users WHERE id = ?")
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /api/v1/posts/{id}", s.show)
	mux.HandleFunc("GET /api/v1/posts", s.index)
	mux.HandleFunc("POST /api/v1/posts", s.add)
	mux.HandleFunc("GET /api/v1/users/me", s.me)
	server := http.Server{Addr: os.Getenv("ADDR"), Handler: mux}
	if os.Getenv("DRESSED") != "" {
		server.Handler = withContract(mux)
		server.ReadHeaderTimeout, server.ReadTimeout = 5*time.Second, 20*time.Second
		server.WriteTimeout, server.IdleTimeout = time.Minute, 2*time.Minute
	}
	check(server.ListenAndServe())
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// open opens the pools for writing and reading, and reports whether the database is
// PostgreSQL, which numbers parameters and supports RETURNING.
func open(address string) (writer, reader *sql.DB, returning bool) {
	file, lite := strings.CutPrefix(address, "sqlite:")
	if !lite {
		pool, err := sql.Open("pgx", address)
		check(err)
		pool.SetMaxOpenConns(15)
		pool.SetMaxIdleConns(15)
		return pool, pool, true
	}
	const common = "_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)&_pragma=cache_size(-16000)&_pragma=mmap_size(268435456)&_pragma=temp_store(MEMORY)"
	writer, err := sql.Open("sqlite", "file:"+file+"?_txlock=immediate&"+common)
	check(err)
	writer.SetMaxOpenConns(1)
	reader, err = sql.Open("sqlite", "file:"+file+"?_pragma=query_only(1)&"+common)
	check(err)
	reader.SetMaxOpenConns(4)
	reader.SetMaxIdleConns(4)
	return writer, reader, false
}

// numbered replaces the parameters of a statement by PostgreSQL's numbered ones.
func numbered(query string) string {
	for n := 1; strings.Contains(query, "?"); n++ {
		query = strings.Replace(query, "?", "$"+strconv.Itoa(n), 1)
	}
	return query
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v)
}

func refuse(w http.ResponseWriter, status int, text string) {
	answer(w, status, map[string]any{"error": text, "code": status})
}

func scan(row interface{ Scan(...any) error }, p *post) error {
	return row.Scan(&p.ID, &p.Title, &p.Content, &p.Published, &p.Category, &p.CreatedAt, &p.UpdatedAt)
}

func (s server) show(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		refuse(w, http.StatusNotFound, "Not found")
		return
	}
	var p post
	switch err := scan(s.get.QueryRowContext(r.Context(), id), &p); {
	case errors.Is(err, sql.ErrNoRows):
		refuse(w, http.StatusNotFound, "Post not found")
	case err != nil:
		refuse(w, http.StatusInternalServerError, "Internal server error")
	default:
		answer(w, http.StatusOK, p)
	}
}

func (s server) index(w http.ResponseWriter, r *http.Request) {
	at, limit := 1, 10
	query := r.URL.Query()
	if v := query.Get("page"); v != "" {
		at, _ = strconv.Atoi(v)
	}
	if v := query.Get("limit"); v != "" {
		limit, _ = strconv.Atoi(v)
	}
	if at < 1 || limit < 1 || limit > 100 {
		refuse(w, http.StatusUnprocessableEntity, "Invalid query parameters")
		return
	}
	out, err := s.pageOf(r.Context(), at, limit)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "Internal server error")
		return
	}
	answer(w, http.StatusOK, out)
}

func (s server) pageOf(ctx context.Context, at, limit int) (page, error) {
	out := page{Items: []post{}, Page: at, Limit: limit}
	rows, err := s.list.QueryContext(ctx, limit, (at-1)*limit)
	if err != nil {
		return out, err
	}
	defer rows.Close()
	for rows.Next() {
		var p post
		if err := scan(rows, &p); err != nil {
			return out, err
		}
		out.Items = append(out.Items, p)
	}
	if err := rows.Err(); err != nil {
		return out, err
	}
	if err := s.count.QueryRowContext(ctx).Scan(&out.Total); err != nil {
		return out, err
	}
	out.Pages = (out.Total + int64(limit) - 1) / int64(limit)
	out.HasNext, out.HasPrev = int64(at) < out.Pages, at > 1
	return out, nil
}

func (s server) add(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Title     string  `json:"title"`
		Content   string  `json:"content"`
		Published bool    `json:"published"`
		Category  *string `json:"category"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&in); err != nil {
		refuse(w, http.StatusBadRequest, "Malformed JSON")
		return
	}
	var broken []detail
	if len(in.Title) < 3 {
		broken = append(broken, detail{"title", "min", "Title must have at least 3 characters"})
	}
	if in.Content == "" {
		broken = append(broken, detail{"content", "required", "Content is required"})
	}
	if len(broken) > 0 {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"error": "Validation error", "code": http.StatusUnprocessableEntity, "details": broken})
		return
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	id, err := s.insert(r.Context(), in.Title, in.Content, in.Published, in.Category, now, now)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "Internal server error")
		return
	}
	w.Header().Set("Location", "/api/v1/posts/"+strconv.FormatInt(id, 10))
	answer(w, http.StatusCreated, post{id, in.Title, in.Content, in.Published, in.Category, now, now})
}

// detail is an error in one field.
type detail struct {
	Field   string `json:"field"`
	Rule    string `json:"rule"`
	Message string `json:"message"`
}

func (s server) insert(ctx context.Context, values ...any) (id int64, err error) {
	if s.returning {
		err = s.create.QueryRowContext(ctx, values...).Scan(&id)
		return id, err
	}
	done, err := s.create.ExecContext(ctx, values...)
	if err != nil {
		return 0, err
	}
	return done.LastInsertId()
}

// me is a route protected only by an HS256 token whose subject is a user.
func (s server) me(w http.ResponseWriter, r *http.Request) {
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), &claims,
		func(*jwt.Token) (any, error) { return s.key, nil }, jwt.WithValidMethods([]string{"HS256"}))
	if err != nil {
		refuse(w, http.StatusUnauthorized, "Not authenticated")
		return
	}
	var u struct {
		ID        int64     `json:"id"`
		Username  string    `json:"username"`
		Email     string    `json:"email"`
		Role      string    `json:"role"`
		IsActive  bool      `json:"is_active"`
		CreatedAt time.Time `json:"created_at"`
		UpdatedAt time.Time `json:"updated_at"`
	}
	if err := s.user.QueryRowContext(r.Context(), claims.Subject).Scan(&u.ID, &u.Username, &u.Email, &u.Role, &u.IsActive, &u.CreatedAt, &u.UpdatedAt); err != nil {
		refuse(w, http.StatusUnauthorized, "Not authenticated")
		return
	}
	answer(w, http.StatusOK, u)
}
