package traces

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// Config holds OpenTelemetry's standard variables, with their meanings and defaults:
// https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
// The SDK itself reads those of batches, OTEL_BSP_*, and the limits of spans. Client
// certificates and protocols other than http/protobuf are not supported.
type Config struct {
	Env            string `env:"APP_ENV" envDefault:"development" doc:"development, test or production"`
	Endpoint       string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" doc:"OTLP/HTTP endpoint: http://collector:4318; traces are off without it"`
	TracesEndpoint string `env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT" doc:"full URL for traces: http://collector:4318/v1/traces"`
	Headers        string `env:"OTEL_EXPORTER_OTLP_HEADERS" doc:"headers to send: name=value,..., percent-encoded"`
	TracesHeaders  string `env:"OTEL_EXPORTER_OTLP_TRACES_HEADERS" doc:"additional headers for traces"`
	Timeout        int    `env:"OTEL_EXPORTER_OTLP_TIMEOUT" envDefault:"10000" doc:"timeout for sending, in milliseconds"`
	Compression    string `env:"OTEL_EXPORTER_OTLP_COMPRESSION" envDefault:"none" doc:"gzip or none"`
	Protocol       string `env:"OTEL_EXPORTER_OTLP_PROTOCOL" envDefault:"http/protobuf" doc:"http/protobuf"`
	Exporter       string `env:"OTEL_TRACES_EXPORTER" envDefault:"otlp" doc:"otlp or none"`
	Disabled       bool   `env:"OTEL_SDK_DISABLED" doc:"turn traces off"`
	Service        string `env:"OTEL_SERVICE_NAME" doc:"service name in traces; default: the module name"`
	Resource       string `env:"OTEL_RESOURCE_ATTRIBUTES" doc:"resource attributes: name=value,..., percent-encoded"`
	Sampler        string `env:"OTEL_TRACES_SAMPLER" envDefault:"parentbased_always_on" doc:"always_on, always_off, traceidratio, or parentbased_ plus one of these"`
	Ratio          string `env:"OTEL_TRACES_SAMPLER_ARG" doc:"sampling ratio, 0 to 1"`
}

// Validate reports all invalid settings.
func (c Config) Validate() error {
	_, err := c.parse()
	return err
}

// settings is a parsed Config.
type settings struct {
	address  string // empty if traces are off
	header   http.Header
	timeout  time.Duration
	gzip     bool
	sampler  sdk.Sampler
	resource *resource.Resource
}

func (c Config) parse() (settings, error) {
	s := settings{timeout: time.Duration(cmp.Or(c.Timeout, 10_000)) * time.Millisecond, gzip: c.Compression == "gzip"}
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for _, endpoint := range []struct{ name, value, rest string }{
		{"OTEL_EXPORTER_OTLP_ENDPOINT", c.Endpoint, "/v1/traces"},
		{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", c.TracesEndpoint, ""},
	} {
		if endpoint.value == "" {
			continue
		}
		u, err := url.Parse(endpoint.value)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			wrong("%s is not an HTTP address\n  expected: http://host:port or https://host:port\n  try:   %s=http://127.0.0.1:4318%s", endpoint.name, endpoint.name, map[bool]string{true: "/v1/traces"}[endpoint.rest == ""])
			continue
		}
		if u.Path = strings.TrimSuffix(u.Path, "/") + endpoint.rest; u.Path == "" {
			u.Path = "/"
		}
		s.address = u.String()
	}
	oneOf := func(name, value string, known ...string) {
		for _, k := range append(known, "") {
			if value == k {
				return
			}
		}
		wrong("unknown %s %q\n  known: %s\n  try:   %s=%s", name, value, strings.Join(known, " "), name, known[0])
	}
	oneOf("OTEL_EXPORTER_OTLP_COMPRESSION", c.Compression, "none", "gzip")
	oneOf("OTEL_EXPORTER_OTLP_PROTOCOL", c.Protocol, "http/protobuf")
	oneOf("OTEL_TRACES_EXPORTER", c.Exporter, "otlp", "none")
	oneOf("OTEL_TRACES_SAMPLER", c.Sampler, "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio", "always_on", "always_off", "traceidratio")
	ratio, err := strconv.ParseFloat(cmp.Or(c.Ratio, "1"), 64)
	if err != nil || ratio < 0 || ratio > 1 {
		wrong("OTEL_TRACES_SAMPLER_ARG is not a sampling ratio: %q\n  expected: a number from 0 to 1\n  try:   OTEL_TRACES_SAMPLER_ARG=0.1", c.Ratio)
	}
	s.sampler = sampler(c.Sampler, ratio)
	if c.Timeout < 0 {
		wrong("OTEL_EXPORTER_OTLP_TIMEOUT is %d\n  expected: a number of milliseconds\n  try:   OTEL_EXPORTER_OTLP_TIMEOUT=10000", c.Timeout)
	}
	s.header = http.Header{}
	for _, list := range []struct{ name, value string }{{"OTEL_EXPORTER_OTLP_HEADERS", c.Headers}, {"OTEL_EXPORTER_OTLP_TRACES_HEADERS", c.TracesHeaders}} {
		pairs, err := pairs(list.value)
		if err != nil {
			wrong("%s is not a list of headers\n  expected: name=value,..., percent-encoded\n  try:   %s=api-key=abc", list.name, list.name)
		}
		for _, p := range pairs {
			s.header.Set(p[0], p[1])
		}
	}
	attrs, err := pairs(c.Resource)
	if err != nil {
		wrong("OTEL_RESOURCE_ATTRIBUTES is not a list of attributes: %q\n  expected: name=value,..., percent-encoded\n  try:   OTEL_RESOURCE_ATTRIBUTES=service.version=1.2", c.Resource)
	}
	s.resource = c.resourceOf(attrs)
	if c.Disabled || c.Exporter == "none" {
		s.address = ""
	}
	return s, errors.Join(problems...)
}

// pairs parses name=value,name=value, percent-encoded.
func pairs(list string) (all [][2]string, err error) {
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		name, value, ok := strings.Cut(item, "=")
		value, bad := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || name == "" || bad != nil || strings.ContainsFunc(name+value, func(r rune) bool { return r < ' ' }) {
			return nil, errors.New("not name=value")
		}
		all = append(all, [2]string{name, value})
	}
	return all, nil
}

func sampler(name string, ratio float64) sdk.Sampler {
	name, followsParent := strings.CutPrefix(cmp.Or(name, "parentbased_always_on"), "parentbased_")
	s := sdk.AlwaysSample()
	switch name {
	case "always_off":
		s = sdk.NeverSample()
	case "traceidratio":
		s = sdk.TraceIDRatioBased(ratio)
	}
	if followsParent {
		return sdk.ParentBased(s)
	}
	return s
}

// resourceOf returns the resource, which describes the application in every batch.
func (c Config) resourceOf(more [][2]string) *resource.Resource {
	service := c.Service
	if info, ok := debug.ReadBuildInfo(); ok && service == "" {
		service = path.Base(info.Main.Path)
	}
	attrs := []attribute.KeyValue{
		attribute.String("deployment.environment.name", cmp.Or(c.Env, "development")),
		attribute.String("telemetry.sdk.language", "go"),
		attribute.String("telemetry.sdk.name", "opentelemetry"),
	}
	named := ""
	for _, pair := range more {
		attrs = append(attrs, attribute.String(pair[0], pair[1]))
		if pair[0] == "service.name" {
			named = pair[1]
		}
	}
	attrs = append(attrs, attribute.String("service.name", cmp.Or(c.Service, named, service, "unknown_service")))
	return resource.NewSchemaless(attrs...)
}
