package deploy_test

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/golden"
)

var keep = flag.String("keep", "", "directory that gets the objects of Kubernetes, for scripts/check")

// TestKubernetesObjectsAreInOneNamespace writes them to -keep, one a file, without those of Strimzi: scripts/check has no schema for them.
func TestKubernetesObjectsAreInOneNamespace(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"base", "overlays/production"} {
		for i, o := range built(t, dir) {
			if o.text("kind") != "Namespace" && o.text("metadata.namespace") != "orders" {
				t.Errorf("%s is in the namespace %q, want orders", o, o.text("metadata.namespace"))
			}
			if *keep == "" || strings.HasPrefix(o.text("apiVersion"), "kafka.strimzi.io/") {
				continue
			}
			text, err := yaml.Marshal(o)
			if err == nil {
				err = os.WriteFile(filepath.Join(*keep, fmt.Sprintf("%s-%02d.yaml", filepath.Base(dir), i)), text, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestKubernetesSetsWhatProgramsRead(t *testing.T) {
	eachOverlay(t, func(t *testing.T, c cluster) {
		for name, pod := range c.pods() {
			of := pod.list("spec.containers")[0]
			image := of.text("image")
			run := container{name, of.texts("command"), image[strings.LastIndex(image, "/")+1 : strings.LastIndex(image, ":")], map[string]string{}}
			for _, from := range of.list("envFrom") {
				for key, value := range c.find(t, "ConfigMap", from.text("configMapRef.name")).part("data") {
					run.env[key] = fmt.Sprint(value)
				}
			}
			for _, v := range of.list("env") {
				run.env[v.text("name")] = v.text("value")
			}
			checkSettings(t, run)
			checkFiles(t, name, of, run.env)
		}
	})
}

// checkFiles requires that each file of a setting is in a volume.
func checkFiles(t *testing.T, name string, c object, env map[string]string) {
	t.Helper()
	for variable, path := range env {
		if !strings.HasPrefix(path, "/") {
			continue
		}
		if !slices.ContainsFunc(c.list("volumeMounts"), func(m object) bool {
			return path == m.text("mountPath") || strings.HasPrefix(path, m.text("mountPath")+"/")
		}) {
			t.Errorf("%s: %s is %s, which is in no volume", name, variable, path)
		}
	}
}

// TestKubernetesRefersToWhatExists: a Secret is created by Strimzi, or its creation is documented. None is in the tree.
func TestKubernetesRefersToWhatExists(t *testing.T) {
	eachOverlay(t, func(t *testing.T, c cluster) {
		known := map[string]bool{"orders-cluster-ca-cert": true}
		for _, u := range c.of("KafkaUser") {
			known[u.text("metadata.name")] = true
		}
		for _, m := range regexp.MustCompile(`create secret \w+ ([\w-]+)`).FindAllStringSubmatch(read(t, "deploy/kubernetes/README.md"), -1) {
			known[m[1]] = true
		}
		if found := c.of("Secret"); len(found) > 0 {
			t.Errorf("secrets are in the tree: %v", found)
		}
		secrets := regexp.MustCompile(`(?:secretName: |secretKeyRef:\n\s+key: \w+\n\s+name: )([\w-]+)`)
		for _, o := range c {
			text, err := yaml.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range secrets.FindAllStringSubmatch(string(text), -1) {
				if !known[m[1]] {
					t.Errorf("%s needs the Secret %s, which is not created", o, m[1])
				}
			}
			for _, s := range o.list("spec.secretTargetRef") {
				if !known[s.text("name")] {
					t.Errorf("%s needs the Secret %s, which is not created", o, s.text("name"))
				}
			}
		}
	})
}

func TestKubernetesPodsMayDoLittle(t *testing.T) {
	eachOverlay(t, func(t *testing.T, c cluster) {
		for name, pod := range c.pods() {
			of := pod.list("spec.containers")[0]
			got := []any{
				pod.at("spec.securityContext.runAsNonRoot"), pod.at("spec.securityContext.runAsUser"), pod.at("spec.securityContext.seccompProfile.type"),
				pod.at("spec.automountServiceAccountToken"), pod.at("spec.enableServiceLinks"), of.at("securityContext.allowPrivilegeEscalation"),
				of.at("securityContext.readOnlyRootFilesystem"), of.at("securityContext.capabilities.drop"),
			}
			want := []any{true, 65532, "RuntimeDefault", false, false, false, true, []any{"ALL"}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			for _, path := range []string{"resources.requests.cpu", "resources.requests.memory", "resources.limits.memory"} {
				if of.text(path) == "" {
					t.Errorf("%s has no %s", name, path)
				}
			}
			if image := of.text("image"); strings.HasSuffix(image, ":latest") || !strings.Contains(image, "/") {
				t.Errorf("%s runs %s, want a registry and a version", name, image)
			}
		}
	})
}

// TestKubernetesProbesAskThePrograms: each probe asks a route that tells whether orders are worked on, on the port of the program.
func TestKubernetesProbesAskThePrograms(t *testing.T) {
	eachOverlay(t, func(t *testing.T, c cluster) {
		const port = "health"
		for _, name := range []string{"order-api", "order-worker"} {
			of := c.pods()[name].list("spec.containers")[0]
			if !slices.ContainsFunc(of.list("ports"), func(p object) bool { return p.text("name") == port && p.number("containerPort") == 8081 }) {
				t.Errorf("%s has no port %s", name, port)
			}
			for probe, path := range map[string]string{"readinessProbe": "/healthz/ready", "livenessProbe": "/healthz/live", "startupProbe": "/healthz/live"} {
				if got := of.text(probe + ".httpGet.path"); got != path || of.text(probe+".httpGet.port") != port {
					t.Errorf("%s: the %s asks %q, want %s on port %s", name, probe, got, path, port)
				}
			}
		}
	})
}

func TestKubernetesLetsWorkersDrain(t *testing.T) {
	eachOverlay(t, func(t *testing.T, c cluster) {
		pod := c.pods()["order-worker"]
		if got := time.Duration(pod.number("spec.terminationGracePeriodSeconds")) * time.Second; got <= worker.DefaultDrain {
			t.Errorf("a worker is killed after %v, want later than its drain of %v", got, worker.DefaultDrain)
		}
		update := c.find(t, "Deployment", "order-worker").part("spec")
		if update.at("strategy.rollingUpdate.maxSurge") != 0 || update.at("replicas") != nil {
			t.Errorf("workers: maxSurge %v, replicas %v; want 0 and none", update.at("strategy.rollingUpdate.maxSurge"), update.at("replicas"))
		}
	})
}

// TestKubernetesSelectsPodsThatExist: a selector that matches nothing is no error in Kubernetes.
func TestKubernetesSelectsPodsThatExist(t *testing.T) {
	eachOverlay(t, func(t *testing.T, c cluster) {
		matches := func(selector object) bool {
			return len(selector) > 0 && slices.ContainsFunc(slices.Collect(maps.Values(c.pods())), func(pod object) bool {
				labels := maps.Clone(pod.part("metadata.labels"))
				maps.Copy(labels, selector)
				return maps.Equal(labels, pod.part("metadata.labels"))
			})
		}
		for _, kind := range []string{"Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceMonitor", "PodMonitor"} {
			for _, o := range c.of(kind) {
				selector := o.part("spec.selector.matchLabels")
				switch kind {
				case "Service":
					selector = o.part("spec.selector")
				case "NetworkPolicy":
					selector = o.part("spec.podSelector.matchLabels")
				}
				if !matches(selector) {
					t.Errorf("%s selects %v, which no pod of ours has", o, map[string]any(selector))
				}
			}
		}
	})
}

// TestTheIngressServesWhatHasASignIn: all routes of the API and its pages, without metrics and probes.
func TestTheIngressServesWhatHasASignIn(t *testing.T) {
	eachOverlay(t, func(t *testing.T, c cluster) {
		rule := c.find(t, "Ingress", "order-api").list("spec.rules")[0]
		serves := func(route string) bool {
			return slices.ContainsFunc(rule.list("http.paths"), func(p object) bool {
				path := p.text("path")
				return route == path || p.text("pathType") == "Prefix" && strings.HasPrefix(route, path+"/")
			})
		}
		routes := routesOf(t)
		if len(routes) < 50 {
			t.Fatalf("found %d routes only", len(routes))
		}
		for _, route := range routes {
			open := route == "/metrics" || strings.HasPrefix(route, "/healthz/")
			if got := serves(route); got == open {
				t.Errorf("the ingress serves %s: %v, want %v", route, got, !open)
			}
		}
		if c.find(t, "Service", "order-api").list("spec.ports")[0].text("name") != rule.list("http.paths")[0].text("backend.service.port.name") {
			t.Error("the ingress names another port than the Service")
		}
	})
}

// routesOf returns the routes in the sources of the API and its pages.
func routesOf(t *testing.T) (all []string) {
	t.Helper()
	route := regexp.MustCompile(`(?m)(?:^\ta\.\w+\(e, (?:http\.\w+, )?|Path: )"(/[^"]*)"`)
	files, err := filepath.Glob(root + "services/order-api/internal/web/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, root+"services/order-api/internal/httpapi/routes.go") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, m := range route.FindAllStringSubmatch(string(text), -1) {
			all = append(all, m[1])
		}
	}
	return all
}

// TestKubernetesAlertsAreThoseOfPrometheus: -update writes them again.
func TestKubernetesAlertsAreThoseOfPrometheus(t *testing.T) {
	t.Parallel()
	const head = "# The rules of deploy/prometheus/alerts.yaml, written by go test -update ./services/all-in-one/deploy.\n" +
		"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\nmetadata:\n  name: orders\nspec:\n"
	var want strings.Builder
	want.WriteString(head)
	for line := range strings.Lines(read(t, "deploy/prometheus/alerts.yaml")) {
		if strings.TrimSpace(line) != "" {
			line = "  " + line
		}
		want.WriteString(line)
	}
	golden.Compare(t, root+"deploy/kubernetes/base/alerts.yaml", want.String())
}
