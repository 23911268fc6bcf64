// Command deploy reads files by which projects are deployed, as strictly as what
// they are for: a compose file with the environment's values, which it prints as
// JSON, manifests of Kubernetes, dashboards of Grafana, and the settings of Dependabot
// and Litestream.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

func main() {
	read := map[string]func(string) error{"compose": compose, "kubernetes": kubernetes, "grafana": grafana, "dependabot": dependabot, "litestream": litestream}
	if len(os.Args) < 3 || read[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: deploy compose|kubernetes|grafana|dependabot|litestream FILE...")
		os.Exit(2)
	}
	for _, file := range os.Args[2:] {
		if err := read[os.Args[1]](file); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			os.Exit(1)
		}
	}
}

func compose(file string) error {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithOsEnv, cli.WithName("deploy"))
	if err != nil {
		return err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(project)
}

// kinds are what manifests may hold, each with a way to make one.
var kinds = map[string]func() any{
	"v1 ConfigMap":                  func() any { return new(corev1.ConfigMap) },
	"v1 PersistentVolumeClaim":      func() any { return new(corev1.PersistentVolumeClaim) },
	"v1 Secret":                     func() any { return new(corev1.Secret) },
	"v1 Service":                    func() any { return new(corev1.Service) },
	"apps/v1 Deployment":            func() any { return new(appsv1.Deployment) },
	"batch/v1 Job":                  func() any { return new(batchv1.Job) },
	"networking.k8s.io/v1 Ingress":  func() any { return new(networkingv1.Ingress) },
	"policy/v1 PodDisruptionBudget": func() any { return new(policyv1.PodDisruptionBudget) },
	"kustomize.config.k8s.io/v1beta1 Kustomization": func() any { return new(kustomization) },
}

// kustomization is what is used of one.
type kustomization struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Resources  []string `json:"resources"`
	Images     []struct {
		Name    string `json:"name"`
		NewName string `json:"newName"`
		NewTag  string `json:"newTag"`
	} `json:"images"`
}

func kubernetes(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	documents := yaml.NewDocumentDecoder(io.NopCloser(bytes.NewReader(text)))
	defer documents.Close()
	for buffer := make([]byte, 1<<20); ; {
		n, err := documents.Read(buffer)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var is struct{ APIVersion, Kind string }
		if err := strict.Unmarshal(buffer[:n], &is); err != nil {
			return err
		}
		made, known := kinds[is.APIVersion+" "+is.Kind]
		if !known {
			return fmt.Errorf("nothing is known of %s %s", is.APIVersion, is.Kind)
		}
		if err := strict.UnmarshalStrict(buffer[:n], made()); err != nil {
			return fmt.Errorf("%s: %w", is.Kind, err)
		}
	}
}

// dependabot reads .github/dependabot.yml, as far as projects use the options of
// https://docs.github.com/en/code-security/reference/supply-chain-security/dependabot-options-reference.
// What an ecosystem looks after must be there.
func dependabot(file string) error {
	var settings struct {
		Version int `json:"version"`
		Updates []struct {
			Ecosystem string `json:"package-ecosystem"`
			Directory string `json:"directory"`
			Schedule  struct {
				Interval string `json:"interval"`
			} `json:"schedule"`
			Groups map[string]struct {
				Patterns []string `json:"patterns"`
			} `json:"groups"`
		} `json:"updates"`
	}
	if err := readStrictly(file, &settings); err != nil {
		return err
	}
	if settings.Version != 2 || len(settings.Updates) == 0 {
		return fmt.Errorf("version %d with %d updates", settings.Version, len(settings.Updates))
	}
	manifests := map[string]string{"gomod": "go.mod", "github-actions": ".github/workflows/*.yml", "docker": "Dockerfile", "docker-compose": "compose.yaml"}
	for _, u := range settings.Updates {
		manifest, known := manifests[u.Ecosystem]
		found, err := filepath.Glob(filepath.Join(filepath.Dir(file), "..", u.Directory, manifest))
		switch {
		case !known:
			return fmt.Errorf("the ecosystem %q is not known", u.Ecosystem)
		case err != nil || len(found) == 0:
			return fmt.Errorf("%s: no %s in %q (%v)", u.Ecosystem, manifest, u.Directory, err)
		case !slices.Contains([]string{"daily", "weekly", "monthly", "quarterly", "semiannually", "yearly"}, u.Schedule.Interval):
			return fmt.Errorf("%s: the interval %q is not known", u.Ecosystem, u.Schedule.Interval)
		}
		for name, group := range u.Groups {
			if len(group.Patterns) == 0 {
				return fmt.Errorf("%s: the group %q has no pattern", u.Ecosystem, name)
			}
		}
	}
	return nil
}

// litestream reads its configuration file, as far as projects use the options of
// https://litestream.io/reference/config/ (0.5, where a database has one replica).
func litestream(file string) error {
	var settings struct {
		DBs []struct {
			Path    string `json:"path"`
			Replica struct {
				Type   string `json:"type"`
				Bucket string `json:"bucket"`
				Path   string `json:"path"`
				Region string `json:"region"`
			} `json:"replica"`
		} `json:"dbs"`
	}
	if err := readStrictly(file, &settings); err != nil {
		return err
	}
	if len(settings.DBs) != 1 {
		return fmt.Errorf("%d databases", len(settings.DBs))
	}
	if d := settings.DBs[0]; d.Path == "" || d.Replica.Type != "s3" || d.Replica.Bucket == "" || d.Replica.Path == "" || d.Replica.Region == "" {
		return fmt.Errorf("something is missing in %+v", d)
	}
	return nil
}

// readStrictly reads YAML that holds what settings has and nothing else.
func readStrictly(file string, settings any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return strict.UnmarshalStrict(text, settings)
}

func grafana(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	plugins.RegisterDefaultPlugins()
	var d dashboard.Dashboard
	for _, err := range []error{d.UnmarshalJSONStrict(text), d.Validate()} {
		if err != nil && err.Error() != "" { // it returns lists of errors, also empty ones
			return err
		}
	}
	return nil
}
