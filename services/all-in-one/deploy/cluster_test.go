package deploy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// object is an object of Kubernetes, or a part of one.
type object map[string]any

// at returns what is at a path of keys, such as spec.template.spec; nil if nothing is.
func (o object) at(path string) any {
	var found any = map[string]any(o)
	for key := range strings.SplitSeq(path, ".") {
		m, _ := found.(map[string]any)
		found = m[key]
	}
	return found
}

func (o object) text(path string) string {
	text, _ := o.at(path).(string)
	return text
}

func (o object) number(path string) int {
	n, _ := o.at(path).(int)
	return n
}

func (o object) part(path string) object {
	m, _ := o.at(path).(map[string]any)
	return m
}

// list returns the objects of a list.
func (o object) list(path string) (all []object) {
	items, _ := o.at(path).([]any)
	for _, item := range items {
		m, _ := item.(map[string]any)
		all = append(all, m)
	}
	return all
}

func (o object) texts(path string) (all []string) {
	items, _ := o.at(path).([]any)
	for _, item := range items {
		all = append(all, fmt.Sprint(item))
	}
	return all
}

func (o object) String() string { return o.text("kind") + " " + o.text("metadata.name") }

// cluster is what kubectl apply would create.
type cluster []object

// built renders a directory of deploy/kubernetes.
func built(t *testing.T, dir string) (all cluster) {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), root+"deploy/kubernetes/"+dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		var o map[string]any
		if err := yaml.Unmarshal(text, &o); err != nil {
			t.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}

// eachOverlay runs a test for the base and for production.
func eachOverlay(t *testing.T, test func(*testing.T, cluster)) {
	t.Parallel()
	for _, dir := range []string{"base", "overlays/production"} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			test(t, built(t, dir))
		})
	}
}

func (c cluster) of(kind string) (all []object) {
	return slices.DeleteFunc(slices.Clone(c), func(o object) bool { return o.text("kind") != kind })
}

func (c cluster) find(t *testing.T, kind, name string) object {
	t.Helper()
	i := slices.IndexFunc(c, func(o object) bool { return o.text("kind") == kind && o.text("metadata.name") == name })
	if i < 0 {
		t.Fatalf("there is no %s %s", kind, name)
	}
	return c[i]
}

// pods returns the pod templates of ours, by the name of their object.
func (c cluster) pods() map[string]object {
	all := map[string]object{}
	for _, o := range slices.Concat(c.of("Deployment"), c.of("Job")) {
		all[o.text("metadata.name")] = o.part("spec.template")
	}
	return all
}
