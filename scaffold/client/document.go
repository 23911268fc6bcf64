package client

import (
	"bytes"
	"encoding/json"
	"errors"
)

// document is the part of an OpenAPI document that a client needs.
type document struct {
	Info       struct{ Title, Version string }
	Paths      ordered[ordered[json.RawMessage]]
	Components struct{ Schemas ordered[schema] }
}

type operation struct {
	ID          string `json:"operationId"`
	Summary     string
	Description string
	Deprecated  bool
	Parameters  []struct {
		Name, In, Description string
		Required              bool
		Schema                schema
	}
	RequestBody *struct {
		Required bool
		Content  map[string]media
	}
	Responses map[string]response
	WebSocket *struct{ Send, Receive schema } `json:"x-websocket"`
}

type response struct{ Content map[string]media }

type media struct{ Schema schema }

type schema struct {
	Ref         string `json:"$ref"`
	Type        json.RawMessage
	Description string
	Format      string
	Enum        []json.RawMessage
	Maximum     json.Number
	Items       *schema
	Properties  ordered[schema]
	Required    []string
	Additional  *schema `json:"additionalProperties"`
	AnyOf       []schema
	OneOf       []schema
}

// types returns the names of the schema's types.
func (s schema) types() []string {
	var one string
	if json.Unmarshal(s.Type, &one) == nil {
		return []string{one}
	}
	var list []string
	_ = json.Unmarshal(s.Type, &list) // absent: any type
	return list
}

// some reports whether the schema has a type.
func (s schema) some() bool { return s.Ref != "" || len(s.types()) > 0 }

// success returns the successful response, and whether it is a WebSocket.
func (op operation) success() (answer response, socket bool) {
	for _, status := range names(op.Responses) {
		switch {
		case status == "101":
			return response{}, true
		case status[0] == '2':
			return op.Responses[status], false
		}
	}
	return response{}, false
}

// media returns the type to request, and its name.
func (r response) media() (string, media) {
	if json, ok := r.Content["application/json"]; ok {
		return "application/json", json
	}
	for _, kind := range names(r.Content) {
		return kind, r.Content[kind]
	}
	return "", media{}
}

// ordered is a JSON object that preserves the order of its keys.
type ordered[V any] struct {
	keys   []string
	values map[string]V
}

func (o *ordered[V]) add(key string, value V) {
	if o.values == nil {
		o.values = map[string]V{}
	}
	if _, known := o.values[key]; !known {
		o.keys = append(o.keys, key)
	}
	o.values[key] = value
}

// UnmarshalJSON decodes the keys in order.
func (o *ordered[V]) UnmarshalJSON(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return errors.Join(errors.New("an object is missing"), err)
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var value V
		if err := d.Decode(&value); err != nil {
			return err
		}
		name, _ := key.(string) // a decoder takes no other
		o.add(name, value)
	}
	_, err := d.Token()
	return err
}
