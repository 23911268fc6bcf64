package client_test

import (
	"strings"
	"testing"

	"github.com/nexios-go/nexios/scaffold/client"
)

// TestNames: names in a document must not shadow names that the module uses.
func TestNames(t *testing.T) {
	text, err := client.TypeScript([]byte(`{"info":{"title":"Books */","version":"1"},"paths":{
		"/a/{class}/{query}":{"get":{"operationId":"delete","summary":"Get a thing","parameters":[
			{"name":"class","in":"path","required":true,"schema":{"type":"string"}},
			{"name":"query","in":"path","required":true,"schema":{"type":"integer"}},
			{"name":"first-name","in":"query","required":true,"schema":{"type":["string","null"],"enum":["a","b"]}}],
			"responses":{"200":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Error"}}}}}},
		"delete":{"operationId":"remove","parameters":[{"name":"If-Match","in":"header","required":true,"schema":{"type":"string"}}],"responses":{"204":{}}},
		"post":{"operationId":"connection","requestBody":{"content":{"application/json":{"schema":{"type":"array","items":{"type":["string","null"]}}}}},"responses":{"204":{}}}},
		"/ws/{room}":{"get":{"operationId":"talk","x-websocket":{"send":{"type":"string"},"receive":{"$ref":"#/components/schemas/Room"}},"responses":{"101":{}}}},
		"/ws":{"get":{"operationId":"shout","responses":{"101":{}}}}},
		"components":{"schemas":{
			"Error":{"type":"object","properties":{"0":{"type":"string","format":"date"},"code":{"description":"It ends */ here","type":"integer"}},"required":["code"]},
			"ErrorModel":{"type":"object","additionalProperties":{"type":"boolean"}},
			"Room":{"oneOf":[{"type":"string"},{"type":"array","items":{"$ref":"#/components/schemas/Room"}},{"type":"null"}]}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"/** Calls the API: Books * / 1. */",
		"export interface ErrorModel {\n  /** date */\n  \"0\"?: string;\n  /** It ends * / here */\n  code: number;\n}",
		"export type ErrorModelModel = { [key: string]: boolean };",
		"export type RoomModel = string | RoomModel[] | null;",
		"export interface Delete_Query {\n  \"first-name\": \"a\" | \"b\";\n}",
		"  /** Get a thing. */\n  delete_(class_: string, query_: number, query: Delete_Query, options?: RequestOptions): Promise<ErrorModel> {\n" +
			"    return this.connection.call(\"GET\", `/a/${encodeURIComponent(class_)}/${encodeURIComponent(query_)}`, { query, answer: \"json\", options });",
		"  remove(options: RequestOptions & { ifMatch: object | string }): Promise<void> {",
		"  talk(options: RoomOptions<RoomModel> = {}): Room<RoomModel, string> {",
		"  shout<Received = unknown, Sent = unknown>(options: RoomOptions<Received> = {}): Room<Received, Sent> {",
		"  connection_(body?: (string | null)[], options?: RequestOptions): Promise<void> {",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("missing in the client:\n%s", want)
		}
	}
	if t.Failed() {
		t.Log(string(text)[strings.Index(string(text), "yield* page"):])
	}
}
