package check_test

import (
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// image is what the stage `base` of the Dockerfile says, of which the images are made.
type image struct {
	user   string
	ports  []string
	volume []string
	health []string
	start  []string // ENTRYPOINT and CMD
	labels map[string]string
	stages []instructions.Stage
}

func readImage(t *testing.T) image {
	t.Helper()
	ast, err := parser.Parse(strings.NewReader(read(t, filepath.Join(deploy, "Dockerfile"))))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range ast.Warnings {
		t.Errorf("Dockerfile: %s", w.Short)
	}
	stages, args, err := instructions.Parse(ast.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	defaults := map[string]string{}
	for _, a := range args {
		for _, kv := range a.Args {
			if kv.Value != nil {
				defaults[kv.Key] = *kv.Value
			}
		}
	}
	im := image{labels: map[string]string{}, stages: stages}
	for i := range stages {
		s := &stages[i]
		if name, ok := strings.CutPrefix(s.BaseName, "${"); ok {
			s.BaseName = defaults[strings.TrimSuffix(name, "}")]
		}
		if s.Name != "base" {
			continue
		}
		for _, c := range s.Commands {
			switch c := c.(type) {
			case *instructions.UserCommand:
				im.user = c.User
			case *instructions.ExposeCommand:
				im.ports = append(im.ports, c.Ports...)
			case *instructions.VolumeCommand:
				im.volume = append(im.volume, c.Volumes...)
			case *instructions.HealthCheckCommand:
				im.health = c.Health.Test
			case *instructions.EntrypointCommand:
				im.start = append(slices.Clone([]string(c.CmdLine)), im.start...)
			case *instructions.CmdCommand:
				im.start = append(im.start, c.CmdLine...)
			case *instructions.LabelCommand:
				for _, kv := range c.Labels {
					im.labels[kv.Key] = kv.Value
				}
			}
		}
	}
	return im
}

func TestTheImageRunsAsANumberedUserAndChecksItselfWithACommandThatExists(t *testing.T) {
	im := readImage(t)
	id, _, _ := strings.Cut(im.user, ":")
	if n, err := strconv.Atoi(id); err != nil || n < 1000 {
		t.Errorf("the image runs as %q: want the number of a user that is not root", im.user)
	}
	if len(im.health) < 2 || im.health[0] != "CMD" || im.health[1] != "tocsin" {
		t.Fatalf("health check %v: want a command of tocsin itself", im.health)
	}
	checkCommand(t, "HEALTHCHECK", im.health[2:])
	if len(im.start) < 2 || im.start[0] != "tocsin" {
		t.Fatalf("the image starts %v, want tocsin", im.start)
	}
	checkCommand(t, "CMD", im.start[1:])
	if a, b := value(im.health, "--config"), value(im.start, "--config"); a == "" || a != b {
		t.Errorf("the health check reads the configuration %s, the service %s", a, b)
	}
	for _, l := range []string{"title", "description", "version", "revision", "licenses"} {
		if im.labels["org.opencontainers.image."+l] == "" {
			t.Errorf("the image has no label org.opencontainers.image.%s", l)
		}
	}
	if !slices.Equal(im.volume, []string{"/var/lib/tocsin"}) {
		t.Errorf("the image has the volumes %v", im.volume)
	}
}

func TestTheImageIsBuiltFromPinnedImagesWithTheRightGo(t *testing.T) {
	im := readImage(t)
	names := map[string]bool{}
	for _, s := range im.stages {
		if names[s.BaseName] { // an earlier stage
			names[s.Name] = true
			continue
		}
		names[s.Name] = true
		name, tag, pinned := strings.Cut(s.BaseName, ":")
		if !pinned || tag == "latest" {
			t.Errorf("stage %s is from %s: want a version", s.Name, s.BaseName)
		}
		if strings.Contains(tag, "alpine") || name == "scratch" {
			t.Errorf("stage %s is from %s, which has no glibc: the binary needs it for the engine", s.Name, s.BaseName)
		}
		if name == "golang" && !strings.HasPrefix(tag, goVersion(t)+".") {
			t.Errorf("stage %s builds with Go %s, go.mod wants %s", s.Name, tag, goVersion(t))
		}
	}
	if last := im.stages[len(im.stages)-1]; last.Name != "tocsin" || last.BaseName != "base" {
		t.Errorf("the image that is built by default is %s from %s, want tocsin from base", last.Name, last.BaseName)
	}
}

// goVersion is the version of go.mod without its last part.
func goVersion(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(read(t, filepath.Join(root, "go.mod"))) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok {
			return strings.Join(strings.Split(v, ".")[:2], ".")
		}
	}
	t.Fatal("go.mod names no version of Go")
	return ""
}

func TestSecretsStayOutOfTheBuildAndOutOfTheRepository(t *testing.T) {
	ignored := strings.Split(read(t, filepath.Join(deploy, "Dockerfile.dockerignore")), "\n")
	if !slices.Contains(ignored, "**/secrets") {
		t.Error("Dockerfile.dockerignore lets the folder of secrets into the build")
	}
	if !strings.Contains(read(t, filepath.Join(deploy, "compose", ".gitignore")), "/secrets/") {
		t.Error("deploy/compose/.gitignore lets the folder of secrets into the repository")
	}
}
