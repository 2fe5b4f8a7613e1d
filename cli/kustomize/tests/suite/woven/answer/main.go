// Answer makes kustomizations of what kustomize's tests handed over, and
// writes down what kustomize makes of each: `answer CASES RECORDS…`. Each build
// is a process of its own (`answer`, a question on stdin), as kustomize keeps
// the schema of one build for the next.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/kustomize/kyaml/record"
	"sigs.k8s.io/kustomize/kyaml/yaml"
)

// Options are those of one build.
type Options struct {
	Path         string `json:"path"`
	Reorder      string `json:"reorder"`
	Unrestricted bool   `json:"unrestricted,omitempty"`
	Managed      bool   `json:"managed,omitempty"`
}

// Build is one build of a tree: the output, or the error.
type Build struct {
	Options
	Output *string `json:"output,omitempty"`
	Error  string  `json:"error,omitempty"`
}

// Case is a tree and its builds.
type Case struct {
	Name   string            `json:"name"`
	Tree   map[string]string `json:"tree,omitempty"`
	Binary map[string][]byte `json:"binary,omitempty"`
	Links  map[string]string `json:"links,omitempty"`
	Builds []Build           `json:"builds"`
}

func main() {
	if len(os.Args) == 1 {
		answer()
		return
	}
	out, err := os.Create(os.Args[1])
	check(err)
	var entries []record.Entry
	for _, name := range os.Args[2:] {
		entries = append(entries, read(name)...)
	}
	// Neither the order of packages nor that of maps names a case.
	keys := make(map[string]record.Entry, len(entries))
	for _, entry := range entries {
		keys[entry.Test+"\n"+text(entry)] = entry
	}
	entries = entries[:0]
	for _, key := range sorted(keys) {
		entries = append(entries, keys[key])
	}
	var trees []*tree
	known := map[string]*tree{}
	for _, entry := range entries {
		for _, found := range form(entry) {
			key := digest(found)
			if known[key] == nil {
				known[key] = &found
				trees = append(trees, &found)
			}
			known[key].asked = append(known[key].asked, found.asked...)
		}
	}
	numbers := map[string]int{}
	cases, builds := 0, 0
	for _, tree := range trees {
		numbers[tree.test]++
		answered := Case{Name: fmt.Sprintf("%s-%d", tree.test, numbers[tree.test]), Links: tree.links}
		answered.Tree, answered.Binary = map[string]string{}, map[string][]byte{}
		for name, content := range tree.files {
			if utf8.Valid(content) {
				answered.Tree[name] = string(content)
			} else {
				answered.Binary[name] = content
			}
		}
		answered.Builds = ask(tree)
		if len(answered.Builds) == 0 {
			continue
		}
		line, err := json.Marshal(answered)
		check(err)
		_, err = out.Write(append(line, '\n'))
		check(err)
		cases++
		builds += len(answered.Builds)
	}
	check(out.Close())
	fmt.Printf("%d trees, %d builds\n", cases, builds)
}

func read(name string) []record.Entry {
	file, err := os.Open(name)
	check(err)
	defer file.Close()
	var entries []record.Entry
	lines := bufio.NewReader(file)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return entries
		}
		check(err)
		var entry record.Entry
		check(json.Unmarshal(line, &entry))
		entries = append(entries, entry)
	}
}

// A tree is files and links, by path from the root.
type tree struct {
	test  string
	files map[string][]byte
	links map[string]string
	asked []Options
}

// form makes trees of what a test handed over.
func form(entry record.Entry) []tree {
	if entry.Tree != nil {
		asked := Options{Path: entry.Path, Reorder: "none"}
		asked.Managed = entry.Option["managed"] == "true"
		asked.Unrestricted = entry.Option["restrict"] == "LoadRestrictionsNone"
		if entry.Option["reorder"] == "legacy" {
			asked.Reorder = "legacy"
		}
		return []tree{{entry.Test, entry.Tree, entry.Links, []Options{asked}}}
	}
	var formed []tree
	add := func(files map[string]string) {
		content := map[string][]byte{}
		for name, text := range files {
			content[name] = []byte(text)
		}
		formed = append(formed, tree{test: entry.Test, files: content})
	}
	switch {
	case entry.Filter != "":
		if kustomization := filtering(entry); kustomization != nil {
			kustomization["resources"] = []string{"input.yaml"}
			add(map[string]string{"kustomization.yaml": text(kustomization), "input.yaml": entry.Text})
			add(map[string]string{"kustomization.yaml": text(kustomization), "input.yaml": whole(entry.Text)})
		}
	case entry.Patch != "":
		for _, field := range []string{"patches", "patchesStrategicMerge"} {
			var patches any = []string{"patch.yaml"}
			if field == "patches" {
				patches = []any{map[string]string{"path": "patch.yaml"}}
			}
			kustomization := text(map[string]any{"resources": []string{"input.yaml"}, field: patches})
			add(map[string]string{
				"kustomization.yaml": kustomization, "input.yaml": entry.Text, "patch.yaml": entry.Patch})
			add(map[string]string{
				"kustomization.yaml": kustomization, "input.yaml": whole(entry.Text), "patch.yaml": whole(entry.Patch)})
		}
	default:
		kustomization := text(map[string]any{"resources": []string{"input.yaml"}})
		add(map[string]string{"kustomization.yaml": kustomization, "input.yaml": entry.Text})
		add(map[string]string{"kustomization.yaml": kustomization, "input.yaml": whole(entry.Text)})
	}
	return formed
}

// whole gives a kind and a name to block mappings that lack them, document by document.
func whole(stream string) string {
	documents := strings.Split(stream, "\n---\n")
	for i, document := range documents {
		var node yaml.Node
		if yaml.Unmarshal([]byte(document), &node) != nil || len(node.Content) != 1 {
			continue
		}
		mapping := node.Content[0]
		if mapping.Kind != yaml.MappingNode || mapping.Style&yaml.FlowStyle != 0 || mapping.Column != 1 {
			continue
		}
		present := map[string]bool{}
		for at := 0; at+1 < len(mapping.Content); at += 2 {
			present[mapping.Content[at].Value] = true
		}
		for _, missing := range []struct{ field, value string }{
			{"metadata", "{name: whole}"}, {"kind", "Whole"}, {"apiVersion", "suite/v1"},
		} {
			if !present[missing.field] {
				document = missing.field + ": " + missing.value + "\n" + strings.TrimPrefix(document, "\n")
			}
		}
		documents[i] = document
	}
	return strings.Join(documents, "\n---\n")
}

// filtering is a kustomization that does what a filter of kustomize's does.
func filtering(entry record.Entry) map[string]any {
	field := func(name string) json.RawMessage { return entry.Fields[name] }
	one := func(name string) json.RawMessage {
		if field(name) == nil {
			return nil
		}
		return json.RawMessage("[" + string(field(name)) + "]")
	}
	transformer := func(kind string, fields map[string]any) map[string]any {
		for name, value := range fields {
			if raw, ok := value.(json.RawMessage); ok && (raw == nil || string(raw) == "null") {
				delete(fields, name)
			}
		}
		fields["apiVersion"], fields["kind"] = "builtin", kind
		if _, present := fields["metadata"]; !present {
			fields["metadata"] = map[string]string{"name": "filter"}
		}
		return map[string]any{"transformers": []string{text(fields)}}
	}
	patch := func() string {
		var patch string
		if json.Unmarshal(field("Patch"), &patch) != nil {
			return ""
		}
		return patch
	}
	switch entry.Filter {
	case "labels.Filter":
		return transformer("LabelTransformer", map[string]any{"labels": field("Labels"), "fieldSpecs": field("FsSlice")})
	case "annotations.Filter":
		return transformer("AnnotationsTransformer",
			map[string]any{"annotations": field("Annotations"), "fieldSpecs": field("FsSlice")})
	case "namespace.Filter":
		return transformer("NamespaceTransformer", map[string]any{
			"metadata":   map[string]any{"name": "filter", "namespace": field("Namespace")},
			"fieldSpecs": field("FsSlice"), "unsetOnly": field("UnsetOnly"),
			"setRoleBindingSubjects": field("SetRoleBindingSubjects")})
	case "prefix.Filter":
		return transformer("PrefixTransformer", map[string]any{"prefix": field("Prefix"), "fieldSpecs": one("FieldSpec")})
	case "suffix.Filter":
		return transformer("SuffixTransformer", map[string]any{"suffix": field("Suffix"), "fieldSpecs": one("FieldSpec")})
	case "imagetag.Filter":
		return transformer("ImageTagTransformer",
			map[string]any{"imageTag": field("ImageTag"), "fieldSpecs": field("FsSlice")})
	case "replicacount.Filter":
		return transformer("ReplicaCountTransformer",
			map[string]any{"replica": field("Replica"), "fieldSpecs": one("FieldSpec")})
	case "valueadd.Filter":
		return transformer("ValueAddTransformer", map[string]any{"value": field("Value"),
			"targets": []any{map[string]any{"fieldPath": field("FieldPath")}}})
	case "iampolicygenerator.Filter":
		var fields map[string]any
		if json.Unmarshal(field("IAMPolicyGenerator"), &fields) != nil {
			return nil
		}
		generator := transformer("IAMPolicyGenerator", fields)
		return map[string]any{"generators": generator["transformers"]}
	case "patchjson6902.Filter":
		return map[string]any{"patches": []any{map[string]any{"patch": patch(), "target": map[string]string{"name": ".*"}}}}
	case "patchstrategicmerge.Filter":
		return map[string]any{"patches": []any{map[string]any{"patch": patch(), "target": map[string]string{"name": ".*"}}}}
	case "replacement.Filter":
		return map[string]any{"replacements": field("Replacements")}
	}
	return nil
}

func text(value any) string {
	content, err := json.Marshal(value)
	check(err)
	return string(content) + "\n"
}

func digest(tree tree) string {
	content, err := json.Marshal([]any{tree.files, tree.links})
	check(err)
	return fmt.Sprintf("%x", sha256.Sum256(content))
}

// builds is what a tree is asked for: what the tests asked, and each folder
// that holds a kustomization in both orders.
func (t *tree) builds() []Options {
	folders := map[string]bool{}
	for name := range t.files {
		switch path.Base(name) {
		case "kustomization.yaml", "kustomization.yml", "Kustomization":
			folder := path.Dir(name)
			if folder == "." {
				folder = ""
			}
			folders[folder] = true
		}
	}
	for _, asked := range t.asked {
		// Tests of file systems ask for folders that are none.
		delete(folders, asked.Path)
	}
	wanted := t.asked
	for _, asked := range t.asked {
		asked.Reorder = "legacy"
		wanted = append(wanted, asked)
	}
	for _, folder := range sorted(folders) {
		wanted = append(wanted, Options{Path: folder, Reorder: "none"}, Options{Path: folder, Reorder: "legacy"})
	}
	present := map[Options]bool{}
	var builds []Options
	for _, options := range wanted {
		if !present[options] {
			present[options] = true
			builds = append(builds, options)
		}
	}
	return builds
}

// A question is a tree and how to build it.
type question struct {
	Files   map[string][]byte
	Links   map[string]string
	Options Options
}

// ask has each build of a tree made by a process of its own.
func ask(t *tree) []Build {
	wanted := t.builds()
	builds := make([]Build, len(wanted))
	var group sync.WaitGroup
	for i, options := range wanted {
		group.Add(1)
		go func() {
			defer group.Done()
			asked, err := json.Marshal(question{t.files, t.links, options})
			check(err)
			command := exec.Command(os.Args[0])
			command.Stdin = bytes.NewReader(asked)
			answered, err := command.Output()
			check(err)
			check(json.Unmarshal(answered, &builds[i]))
		}()
	}
	group.Wait()
	return builds
}

// answer builds what stdin asks for, and writes the result to stdout.
func answer() {
	log.SetOutput(io.Discard)
	asked, err := io.ReadAll(os.Stdin)
	check(err)
	var question question
	check(json.Unmarshal(asked, &question))
	tree := tree{files: question.Files, links: question.Links}
	answered, err := json.Marshal(tree.build(question.Options))
	check(err)
	fmt.Println(string(answered))
}

// build asks kustomize.
func (t *tree) build(options Options) (build Build) {
	build.Options = options
	defer func() {
		if panicked := recover(); panicked != nil {
			build.Error = fmt.Sprintf("panic: %v", panicked)
		}
	}()
	// Not at the root, whose parent is itself.
	files, root := filesys.MakeFsInMemory(), "/tree"
	if len(t.links) > 0 {
		folder, err := os.MkdirTemp("", "tree")
		check(err)
		defer os.RemoveAll(folder)
		files, root = filesys.MakeFsOnDisk(), folder
		for name, target := range t.links {
			check(os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
			check(os.Symlink(target, filepath.Join(root, name)))
		}
	}
	for name, content := range t.files {
		if len(t.links) > 0 {
			check(os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755))
		}
		check(files.WriteFile(filepath.Join(root, name), content))
	}
	asked := krusty.MakeDefaultOptions()
	asked.Reorder = krusty.ReorderOption(options.Reorder)
	asked.AddManagedbyLabel = options.Managed
	if options.Unrestricted {
		asked.LoadRestrictions = types.LoadRestrictionsNone
	}
	objects, err := krusty.MakeKustomizer(asked).Run(files, filepath.Join(root, options.Path))
	if err != nil {
		build.Error = err.Error()
		return build
	}
	written, err := objects.AsYaml()
	if err != nil {
		build.Error = err.Error()
		return build
	}
	output := string(written)
	build.Output = &output
	return build
}

func sorted[T any](names map[string]T) []string {
	var list []string
	for name := range names {
		list = append(list, name)
	}
	sort.Strings(list)
	return list
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "answer:", err)
		os.Exit(1)
	}
}
