package e2e

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestReadme follows the README as a new user, with its commands and code: resources,
// auth, a handwritten endpoint with its test, a TypeScript client in node, and then the
// product as its compose file starts it, on PostgreSQL with Redis and a mail server.
func TestReadme(t *testing.T) {
	if testing.Short() {
		t.Skip("starts database servers, and runs node")
	}
	t.Parallel()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, readme, _ := strings.Cut(string(text), "\n## Five minutes\n")
	p := newProject(t, "shop", "--db", "postgres")
	added := 0
	for _, line := range regexp.MustCompile(`(?m)^\$ nexios (add .*)$`).FindAllStringSubmatch(readme, -1) {
		if words := strings.Fields(line[1]); words[1] == "auth" || words[1] == "resource" && !strings.Contains(line[1], "--organisation") {
			p.nexios(words...)
			added++
		}
	}
	if added != 5 {
		t.Errorf("the README adds %d things, not a category, a product, auth, an article and a note", added)
	}
	p.nexios("add", "redis")

	_, own, _ := strings.Cut(readme, "\n## Your own endpoint\n")
	code := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(own, 3)
	if len(code) != 3 {
		t.Fatal("the README has no route, handler and test")
	}
	file, tests := "internal/products/products.go", "internal/products/products_test.go"
	text2 := strings.Replace(p.read(file), "\t}}\n}\n", "\t\t"+code[0][1]+"\t}}\n}\n", 1)
	p.write(file, strings.Replace(text2, "runtime/db\"\n", "runtime/db\"\n\t\"github.com/nexios-go/nexios/runtime/fault\"\n", 1)+"\n"+code[1][1])
	p.append(tests, "\n"+code[2][1])
	// Some routes may have other guards than the rest, which the generated test has to
	// know.
	p.write(file, strings.Replace(p.read(file), "\t}}\n}\n", `		web.Post("/products/:id/recall", h.publish).Returns(200).Fails(409).Guard(auth.Admin()),
		web.Post("/products/hook", func(*gin.Context, web.None) (web.None, error) { return web.None{}, nil }),
	}}
}
`, 1))
	if out, code := p.try("go", "test", "./internal/products", "-run", "TestProducts/asks_who_it_is"); code == 0 ||
		!strings.Contains(out, `a user is answered 403; if that is right, say so: Access: map[string]string{"POST /products/:id/recall": "admin"}`) ||
		!strings.Contains(out, `an anonymous request is answered 204, not 401; if that is right, say so: Access: map[string]string{"POST /products/hook": "all"}`) {
		t.Errorf("generated test: exit %d\n%s", code, out)
	}
	p.write(tests, strings.Replace(p.read(tests), "\t\tFields: ", "\t\tAccess: map[string]string{\"POST /products/:id/recall\": \"admin\", \"POST /products/hook\": \"all\"},\n\t\tFields: ", 1))
	p.run("gofmt", "-w", tests)
	if diff := p.run("gofmt", "-d", "internal"); diff != "" {
		t.Errorf("the README's code is not formatted:\n%s", diff)
	}
	p.test("products")

	exe := filepath.Join(p.dir, "shop.exe")
	p.run("go", "build", "-o", exe, ".")
	const password = `p@ss:w/rd?#&+$x%!"'`
	c, problems := compose(t, p.dir, "APP_SECRET="+rand.Text()+rand.Text(), "DATABASE_PASSWORD="+password)
	if problems != "" {
		t.Fatal(problems)
	}
	x := newContainers(t, "shop", exe, c)
	s := x.start("app")
	command := regexp.MustCompile(`(?m)^\$ go run \. (user create .*)$`).FindStringSubmatch(readme)
	if command == nil {
		t.Fatal("the README creates no user")
	}
	if out, problems, code := x.program(x.c.Services["app"]).command(goodPassword+"\n", strings.Fields(command[1])...); code != 0 {
		t.Fatalf("%s: exit %d\n%s%s", command[1], code, out, problems)
	}

	tools := openAPITools(t)
	dir := t.TempDir()
	p.nexios("client", "ts", "--out", "api.ts")
	for name, text := range map[string]string{"api.ts": p.read("api.ts"), "hour.ts": useClient, "package.json": `{"type":"module"}`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := tools.run(dir, "tsc", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--allowImportingTsExtensions",
		"--rewriteRelativeImportExtensions", "--lib", "es2022,dom,dom.iterable", "--types", "node", "--typeRoots", filepath.Join(tools.dir, "node_modules", "@types"),
		"--skipLibCheck", "hour.ts"); err != nil {
		t.Fatalf("tsc --strict: %v\n%s", err, head(out))
	}
	run := exec.CommandContext(t.Context(), "node", "hour.js", s.url, goodPassword)
	run.Dir = dir
	if out, err := run.CombinedOutput(); err != nil || strings.TrimSpace(string(out)) != "Hammer 12.50 live: Product is already live" {
		t.Errorf("%v\n%s", err, out)
	}
	s.register("grace")
	eventually(t, 30*time.Second, "welcome mail", func() bool { return strings.Contains(x.mail(), "To: <grace@example.com>") })
	if keys, err := x.redis.Keys(t.Context(), "ratelimit:*").Result(); err != nil || len(keys) == 0 {
		t.Errorf("requests not counted in Redis: %v, %v", keys, err)
	}
	if err := s.process.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := <-s.ended; err != nil {
		t.Errorf("exit status: %v", err)
	}
}

// useClient is a program that uses the client.
const useClient = `import { ApiError, Client } from "./api.ts";

const [url, password] = process.argv.slice(2);
const api = new Client({ baseUrl: url! });
await api.login({ username: "ada", password: password! });
const tools = await api.createCategory({ name: "Tools" });
const hammer = await api.createProduct({ name: "Hammer", price: "12.50", category_id: tools.id });
await api.publishProduct(hammer.id);
try {
  await api.publishProduct(hammer.id);
} catch (error) {
  if (!(error instanceof ApiError)) throw error;
  for await (const one of api.allProducts({ status: "live" })) console.log(one.name, one.price, one.status + ": " + error.message);
}
`
