package tour

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/nexios-go/nexios/runtime/webtest"
	"github.com/nexios-go/nexios/templates/tour/files/internal/migrations"
	"github.com/nexios-go/nexios/templates/tour/files/internal/model"
)

func client(t *testing.T) *webtest.Client {
	t.Helper()
	return webtest.New(t, Module(webtest.DB(t, migrations.All())))
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	api := client(t)
	for _, c := range []struct{ path, contentType, body string }{
		{"/json", "application/json", `{"message":"Hello, World!"}`},
		{"/xml", "application/xml", `<response><message>Hello, World!</message></response>`},
		{"/html", "text/html", `<h1>Hello, World!</h1>`},
		{"/text", "text/plain", `Hello, World!`},
		{"/api/items", "application/json", `[{"id":1,"name":"Item 1"},{"id":2,"name":"Item 2"}]`},
		{"/api/items/7", "application/json", `{"id":7,"name":"Item 7"}`},
		{"/products/7", "application/json", `{"product_id":7,"type":"integer"}`},
		{"/categories/books", "application/json", `{"category_name":"books","type":"string"}`},
		{"/categories/caf%C3%A9%20%22au%22%20lait", "application/json", `{"category_name":"café \"au\" lait","type":"string"}`},
		{"/wildcard/a", "application/json", `{"wildcard_path":"a","type":"path"}`},
		{"/wildcard/a/b", "application/json", `{"wildcard_path":"a/b","type":"path"}`},
		{"/wildcard/a/b/", "application/json", `{"wildcard_path":"a/b/","type":"path"}`},
	} {
		answer := api.Get(c.path).Expect(200)
		if got := string(answer.Body()); got != c.body && !(c.path == "/html" && strings.Contains(got, c.body)) {
			t.Errorf("%s: %s; want %s", c.path, got, c.body)
		}
		if got := answer.Header("Content-Type"); !strings.HasPrefix(got, c.contentType) {
			t.Errorf("%s: %s; want %s", c.path, got, c.contentType)
		}
	}
}

func TestPathsThatDoNotFit(t *testing.T) {
	t.Parallel()
	api := client(t)
	for _, parent := range []string{"/api/items/", "/products/"} {
		for _, id := range []string{"abc", "0", "-1", "1.5", "7x", "99999999999999999999", "%00", ""} {
			api.Get(parent + id).Expect(404)
		}
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	got := client(t).Get("/error").Expect(400).JSON()
	if got["error"] != "This is a bad request!" || got["code"] != 400.0 {
		t.Errorf("got %v", got)
	}
}

func TestReadJSON(t *testing.T) {
	t.Parallel()
	api := client(t)
	got := api.Post("/json", `{"name":"Ada","age":0}`).Expect(200)
	if want := `{"status":"success","user":{"name":"Ada","age":0}}`; string(got.Body()) != want {
		t.Errorf("%s; want %s", got.Body(), want)
	}
	for body, status := range map[string]int{
		`{}`: 422, `{"name":"Ada"}`: 422, `{"age":3}`: 422, `{"name":"","age":3}`: 422, `{"name":"Ada","age":-1}`: 422,
		`{"name":"Ada","age":"3"}`: 422, `{"name":"Ada","age":1.5}`: 422, `{"name":null,"age":null}`: 422,
		`{"name":"Ada","age":3`: 400, `{"name":"Ada","age":3}{}`: 400, ``: 400,
	} {
		api.Post("/json", body).Expect(status)
	}
}

const ada = `{"username":"ada","email":"ada@example.com","password":"Enigma-1843","full_name":"Ada Lovelace"}`

// with returns ada with other fields changed.
func with(members string) map[string]any {
	body := map[string]any{}
	for _, text := range []string{ada, "{" + members + "}"} {
		if err := json.Unmarshal([]byte(text), &body); err != nil {
			panic(err)
		}
	}
	return body
}

func TestCreateUser(t *testing.T) {
	t.Parallel()
	api := client(t)
	answer := api.Post("/users", ada).Expect(201)
	var got model.TourUser
	answer.Into(&got)
	if got.ID != 1 || got.Username != "ada" || got.Email != "ada@example.com" || got.FullName != "Ada Lovelace" ||
		got.BirthDate != nil || got.Role != "user" || got.Status != "active" || got.CreatedAt.IsZero() {
		t.Errorf("created %+v", got)
	}
	if body := string(answer.Body()); strings.Contains(body, "password") || strings.Contains(body, "Enigma") {
		t.Errorf("the answer holds the password: %s", body)
	}
	answer = api.Post("/users", with(`"username":"bob","email":"bob@example.com","birth_date":"1990-02-28","role":"guest","status":"pending","id":77,"created_at":"2000-01-01T00:00:00Z"`)).Expect(201)
	if body := answer.JSON(); body["birth_date"] != "1990-02-28" || body["role"] != "guest" || body["status"] != "pending" || body["id"] != 2.0 {
		t.Errorf("created %v", body)
	}
	for members, field := range map[string]string{
		`"username":"bo"`: "username",
		`"username":"` + strings.Repeat("b", 51) + `"`: "username",
		`"email":"nobody"`:          "email",
		`"password":"short"`:        "password",
		`"full_name":""`:            "full_name",
		`"birth_date":"1990-02-30"`: "birth_date",
		`"role":"admin"`:            "role",
		`"role":""`:                 "role",
		`"status":"deleted"`:        "status",
	} {
		details := api.Post("/users", with(members)).Expect(422).Details()
		if len(details) != 1 || details[0].Field != field {
			t.Errorf("%s: %+v; want one about %s", members, details, field)
		}
	}
	api.Post("/users", with(`"email":"other@example.com","username":"ADA"`)).Expect(409)
	api.Post("/users", with(`"username":"other","email":"Ada@Example.com"`)).Expect(409)
}

func TestListUsers(t *testing.T) {
	t.Parallel()
	api := client(t)
	if got := api.Get("/users").Expect(200).JSON(); fmt.Sprint(got["items"]) != "[]" || got["total"] != 0.0 {
		t.Errorf("nobody: %v", got)
	}
	for _, name := range []string{"bob", "ada", "eve"} {
		api.Post("/users", with(fmt.Sprintf(`"username":%q,"email":"%s@example.com"`, name, name))).Expect(201)
	}
	for query, want := range map[string]string{
		"":                                 "eve ada bob",
		"?sort_by=username&order=asc":      "ada bob eve",
		"?sort_by=id&order=desc":           "eve ada bob",
		"?sort=username&limit=2&order=asc": "ada bob",
		"?sort_by=username&page=2&limit=2&order=asc": "eve",
		"?page=9": "",
	} {
		var got struct {
			Items              []map[string]any
			Total, Page, Limit int
		}
		api.Get("/users" + query).Expect(200).Into(&got)
		var names []string
		for _, user := range got.Items {
			names = append(names, user["username"].(string))
			if user["email"] != nil || user["password"] != nil || user["birth_date"] != nil {
				t.Errorf("everybody sees %v", user)
			}
		}
		if strings.Join(names, " ") != want || got.Total != 3 || got.Page == 0 || got.Limit == 0 {
			t.Errorf("%s: %v of %d; want %s", query, names, got.Total, want)
		}
	}
	for _, query := range []string{"?page=0", "?limit=0", "?limit=101", "?page=x", "?sort_by=email", "?order=up", "?sort_by=id;drop table tour_users"} {
		api.Get("/users" + strings.ReplaceAll(query, " ", "%20")).Expect(422)
	}
}
