package deploy_test

import (
	"context"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/google/go-cmp/cmp"

	"example.com/orders/services/order-worker/worker"
)

// composed reads files of deploy/compose as Docker would: unknown keys, missing services and bad values are errors.
func composed(t *testing.T, files ...string) *types.Project {
	t.Helper()
	for i, file := range files {
		files[i] = root + "deploy/compose/" + file
	}
	options, err := cli.NewProjectOptions(files, cli.WithEnv([]string{
		"ORDERS_SMTP=mail.example.com:587", "ORDERS_SMTP_USER=orders", "ORDERS_SMTP_PASSWORD_FILE=compose.yaml",
	}))
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

// eachCompose runs a test for the application as it is tried, and as it is secured.
func eachCompose(t *testing.T, test func(*testing.T, *types.Project)) {
	t.Parallel()
	for name, files := range map[string][]string{
		"trial": {"compose.yaml"}, "production": {"compose.yaml", "compose.production.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, composed(t, files...))
		})
	}
}

// oneShot reports whether a container exits when its work is done.
func oneShot(s types.ServiceConfig) bool { return s.Restart == "" || s.Restart == "no" }

// ours reports whether a container runs one of our images.
func ours(s types.ServiceConfig) bool { return strings.HasPrefix(s.Image, "orders/") }

func TestComposeRunsTheWholeApplication(t *testing.T) {
	t.Parallel()
	got := map[string]int{}
	for name, s := range composed(t, "compose.yaml").Services {
		got[name] = s.GetScale()
	}
	want := map[string]int{
		"secrets": 1, "kafka-1": 1, "kafka-2": 1, "kafka-3": 1, "topics": 1, "keys": 1, "postgres": 1, "order-api": 2, "order-worker": 3,
		"mailpit": 1, "prometheus": 1, "grafana": 1, "otel-collector": 1, "jaeger": 1,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("containers of each service (-want +got):\n%s", diff)
	}
}

func TestComposePublishesOnLoopbackOnly(t *testing.T) {
	eachCompose(t, func(t *testing.T, p *types.Project) {
		for name, s := range p.Services {
			for _, port := range s.Ports {
				if port.HostIP != "127.0.0.1" {
					t.Errorf("%s publishes %s on %q, want 127.0.0.1", name, port.Published, port.HostIP)
				}
			}
		}
	})
}

func TestComposePinsWhatItRuns(t *testing.T) {
	eachCompose(t, func(t *testing.T, p *types.Project) {
		for name, s := range p.Services {
			if s.Build == nil {
				if _, tag, ok := strings.Cut(s.Image, ":"); !ok || tag == "latest" {
					t.Errorf("%s runs the image %q, want one with a version", name, s.Image)
				}
			} else if s.Build.Dockerfile != "deploy/docker/Dockerfile" || !strings.Contains(dockerfile(t), " AS "+s.Build.Target+"\n") {
				t.Errorf("%s is built from %s %q, which is not there", name, s.Build.Dockerfile, s.Build.Target)
			}
		}
	})
}

func TestComposeSetsWhatProgramsRead(t *testing.T) {
	eachCompose(t, func(t *testing.T, p *types.Project) {
		for name, s := range p.Services {
			if !ours(s) {
				continue
			}
			c := container{name, slices.Concat(s.Entrypoint, s.Command), strings.TrimPrefix(s.Image, "orders/"), map[string]string{}}
			for variable, value := range s.Environment {
				c.env[variable] = *value
			}
			checkSettings(t, c)
			if s.HealthCheck != nil && !oneShot(s) {
				checkSettings(t, container{name, s.HealthCheck.Test[1:], "", nil})
			}
		}
	})
}

func TestComposeMountsFilesOfTheTree(t *testing.T) {
	eachCompose(t, func(t *testing.T, p *types.Project) {
		for name, s := range p.Services {
			for _, v := range s.Volumes {
				if v.Type != types.VolumeTypeBind {
					continue
				}
				if _, err := os.Stat(v.Source); err != nil || !v.ReadOnly {
					t.Errorf("%s mounts %s, read-only: %v, %v", name, v.Source, v.ReadOnly, err)
				}
			}
		}
	})
}

// TestComposeContainersMayDoLittle: ours have a read-only file system and no root; no container gets new privileges.
func TestComposeContainersMayDoLittle(t *testing.T) {
	eachCompose(t, func(t *testing.T, p *types.Project) {
		for name, s := range p.Services {
			if s.Privileged || !slices.Equal(s.CapDrop, []string{"ALL"}) || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
				t.Errorf("%s: privileged %v, cap_drop %q, security_opt %q", name, s.Privileged, s.CapDrop, s.SecurityOpt)
			}
			// Our images have a user of their own.
			if root := s.User == "" && !ours(s) || s.User == "root" || s.User == "0"; root && name != "secrets" {
				t.Errorf("%s runs as root", name)
			}
			if ours(s) && !s.ReadOnly {
				t.Errorf("%s can write to its image", name)
			}
			if name == "secrets" && s.NetworkMode != "none" {
				t.Errorf("%s runs as root, and has the network %q", name, s.NetworkMode)
			}
		}
	})
}

// TestComposeStartsInOrder: a container that serves others has a health check, and those that need it wait for that.
func TestComposeStartsInOrder(t *testing.T) {
	eachCompose(t, func(t *testing.T, p *types.Project) {
		withoutProbe := []string{"otel-collector", "jaeger"} // images without a program that could ask
		for name, s := range p.Services {
			if s.HealthCheck == nil && !oneShot(s) && !slices.Contains(withoutProbe, name) {
				t.Errorf("%s has no health check", name)
			}
			for _, other := range slices.Sorted(maps.Keys(s.DependsOn)) {
				want := types.ServiceConditionHealthy
				if oneShot(p.Services[other]) {
					want = types.ServiceConditionCompletedSuccessfully
				}
				if got := s.DependsOn[other].Condition; got != want {
					t.Errorf("%s waits for %s to be %q, want %q", name, other, got, want)
				}
			}
		}
		for name, want := range map[string]string{"order-api": "topics keys secrets postgres", "order-worker": "topics", "topics": "kafka-1 kafka-2 kafka-3"} {
			for other := range strings.FieldsSeq(want) {
				if _, ok := p.Services[name].DependsOn[other]; !ok {
					t.Errorf("%s does not wait for %s", name, other)
				}
			}
		}
	})
}

func TestComposeLetsWorkersDrain(t *testing.T) {
	eachCompose(t, func(t *testing.T, p *types.Project) {
		if got := p.Services["order-worker"].StopGracePeriod; got == nil || time.Duration(*got) <= worker.DefaultDrain {
			t.Errorf("a worker is killed %v after the signal to stop, want later than its drain of %v", got, worker.DefaultDrain)
		}
	})
}

// TestPrometheusScrapesTheContainers: each job asks the containers of its name, at their health address.
func TestPrometheusScrapesTheContainers(t *testing.T) {
	t.Parallel()
	p := composed(t, "compose.yaml")
	jobs := regexp.MustCompile(`names: \[([\w-]+)\], type: A, port: (\d+)`).FindAllStringSubmatch(read(t, "deploy/prometheus/prometheus.yaml"), -1)
	if len(jobs) != 2 {
		t.Errorf("got %d jobs, want 2", len(jobs))
	}
	for _, m := range jobs {
		if got := p.Services[m[1]].Environment["ORDERS_HEALTH"]; got == nil || *got != "0.0.0.0:"+m[2] {
			t.Errorf("Prometheus asks %s at port %s, where it does not listen", m[1], m[2])
		}
	}
}

// TestProductionTalksToKafkaEncrypted: no broker has a listener without TLS, and every program signs in as itself.
func TestProductionTalksToKafkaEncrypted(t *testing.T) {
	t.Parallel()
	p := composed(t, "compose.yaml", "compose.production.yaml")
	if _, ok := p.Services["mailpit"]; ok {
		t.Error("mailpit runs in production: mails would reach no customer")
	}
	users := map[string]string{"topics": "topics-creator", "order-api": "order-api", "order-worker": "order-worker"}
	for name, s := range p.Services {
		env := func(key string) string {
			if v := s.Environment[key]; v != nil {
				return *v
			}
			return ""
		}
		if m := env("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"); strings.Contains(m, "PLAINTEXT") {
			t.Errorf("%s has listeners %s", name, m)
		}
		if strings.HasPrefix(name, "kafka-") && len(s.Ports) > 0 {
			t.Errorf("%s publishes %v", name, s.Ports)
		}
		if want := users[name]; env("ORDERS_KAFKA_SASL_USER") != want {
			t.Errorf("%s signs in as %q, want %q", name, env("ORDERS_KAFKA_SASL_USER"), want)
		}
		if users[name] != "" && env("ORDERS_KAFKA_TLS_CA") == "" {
			t.Errorf("%s uses no TLS", name)
		}
	}
}

func dockerfile(t *testing.T) string {
	t.Helper()
	return read(t, "deploy/docker/Dockerfile")
}

// TestContainersHaveNoShellAndNoRoot: what is not in the image cannot be used against it.
func TestContainersHaveNoShellAndNoRoot(t *testing.T) {
	t.Parallel()
	stages := strings.Split(dockerfile(t), "\nFROM ")[2:]
	if len(stages) != 2 {
		t.Fatalf("got %d images, want 2", len(stages))
	}
	for _, stage := range stages {
		if !strings.HasPrefix(stage, "gcr.io/distroless/static-debian12:nonroot AS ") || !strings.Contains(stage, "\nUSER 65532:65532\n") {
			t.Errorf("an image is %.120q, want distroless/static, with the user 65532", stage)
		}
	}
	if !strings.Contains(read(t, "scripts/build"), "CGO_ENABLED=0") {
		t.Error("programs are built with cgo, but the images have no C library")
	}
}
