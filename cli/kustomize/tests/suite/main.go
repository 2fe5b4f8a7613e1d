// Suite derives cases from kustomize's own tests: it copies the published
// modules of a pinned version, weaves calls into the copy that write down what
// the tests hand to kustomize, runs the tests, and then asks kustomize itself
// for the answer to each thing so found.
//
//	suite FOLDER
//
// leaves FOLDER/cases.jsonl, one file tree a line with its builds.
package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// version is the one of the modules in kustomize v5.8.1.
const version = "v0.21.1"

//go:embed woven
var woven embed.FS

// A hook is a call at the start of a function of kustomize's.
type hook struct {
	file, receiver, function, call string
}

var hooks = []hook{
	{"api/krusty/kustomizer.go", "Kustomizer", "Run", `record.Build(fSys, path, map[string]string{` +
		`"reorder": string(b.options.Reorder), "managed": strconv.FormatBool(b.options.AddManagedbyLabel), ` +
		`"restrict": b.options.LoadRestrictions.String()})`},
	{"api/internal/loader/loader.go", "", "NewLoader", `record.Build(fSys, target, nil)`},
	{"api/testutils/filtertest/runfilter.go", "", "run", `record.Filter(f, input)`},
	{"api/resmap/factory.go", "Factory", "NewResMapFromBytes", `record.Text(string(b))`},
	{"api/resource/factory.go", "Factory", "FromBytes", `record.Text(string(in))`},
	{"api/resource/factory.go", "Factory", "SliceFromBytes", `record.Text(string(in))`},
	{"kyaml/yaml/merge2/merge2.go", "", "MergeStrings", `record.Merge(srcStr, destStr)`},
	{"kyaml/yaml/rnode.go", "", "Parse", `record.Text(value)`},
}

func main() {
	if len(os.Args) != 2 {
		fail("usage: suite FOLDER")
	}
	folder, err := filepath.Abs(os.Args[1])
	check(err)
	check(os.RemoveAll(folder))
	for _, module := range []string{"api", "kyaml"} {
		copyModule(module, filepath.Join(folder, module))
	}
	kyaml := filepath.Join(folder, "kyaml")
	put("woven/record/record.go", filepath.Join(kyaml, "record/record.go"))
	put("woven/answer/main.go", filepath.Join(folder, "api/answer/main.go"))
	for _, hook := range hooks {
		weave(folder, hook)
	}
	run(filepath.Join(folder, "api"), nil, "go", "mod", "edit", "-replace", "sigs.k8s.io/kustomize/kyaml="+kyaml)

	records := filepath.Join(folder, "records")
	temporary := filepath.Join(folder, "tmp")
	check(os.MkdirAll(records, 0o755))
	check(os.MkdirAll(temporary, 0o755))
	environment := []string{"RECORD=" + records, "TMPDIR=" + temporary}
	// Some of the tests want a network, Helm or the source tree. What they
	// hand over before they fail is as good as any.
	for _, test := range []struct{ folder, packages string }{
		{kyaml, "./yaml/..."}, {kyaml, "./openapi/..."}, {kyaml, "./kio/..."}, {filepath.Join(folder, "api"), "./..."},
	} {
		command := exec.Command("go", "test", "-vet=off", "-count=1", "-timeout=10m", test.packages)
		command.Dir = test.folder
		command.Env = append(os.Environ(), environment...)
		output, err := command.CombinedOutput()
		fmt.Fprintf(os.Stderr, "%s %s: %s\n", filepath.Base(test.folder), test.packages, summary(string(output), err))
	}
	found, err := filepath.Glob(filepath.Join(records, "*.jsonl"))
	check(err)
	if len(found) == 0 {
		fail("kustomize's tests handed over nothing")
	}

	program := filepath.Join(folder, "answer")
	run(filepath.Join(folder, "api"), nil, "go", "build", "-trimpath",
		"-ldflags=-X sigs.k8s.io/kustomize/api/provenance.version=kustomize/v5.8.1", "-o", program, "./answer")
	// Without git, helm or a network, so that what needs them says so.
	command := exec.Command(program, append([]string{filepath.Join(folder, "cases.jsonl")}, found...)...)
	command.Env = []string{
		"PATH=", "HOME=" + temporary, "TMPDIR=" + temporary,
		"HTTP_PROXY=http://127.0.0.1:9", "HTTPS_PROXY=http://127.0.0.1:9",
	}
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	check(command.Run())
	for _, done := range []string{"api", "kyaml", "answer", "tmp", "records"} {
		check(os.RemoveAll(filepath.Join(folder, done)))
	}
}

// copyModule copies a published module, tests included.
func copyModule(module, to string) {
	command := exec.Command("go", "mod", "download", "-json", "sigs.k8s.io/kustomize/"+module+"@"+version)
	command.Dir = os.TempDir()
	command.Stderr = os.Stderr
	output, err := command.Output()
	check(err)
	var downloaded struct{ Dir string }
	check(json.Unmarshal(output, &downloaded))
	check(filepath.WalkDir(downloaded.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		target := filepath.Join(to, strings.TrimPrefix(path, downloaded.Dir))
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(target, content, 0o644)
	}))
}

// put writes a file of ours.
func put(name, to string) {
	content, err := woven.ReadFile(name)
	check(err)
	check(os.MkdirAll(filepath.Dir(to), 0o755))
	check(os.WriteFile(to, content, 0o644))
}

// weave inserts the hook's call, and what it imports.
func weave(folder string, hook hook) {
	name := filepath.Join(folder, hook.file)
	source, err := os.ReadFile(name)
	check(err)
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, 0)
	check(err)
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Name.Name != hook.function || receiver(function) != hook.receiver {
			continue
		}
		at := files.Position(function.Body.Lbrace).Offset + 1
		text := string(source[:at]) + "\n\t" + hook.call + string(source[at:])
		imports := files.Position(file.Name.End()).Offset
		text = text[:imports] + "\n" + needed(file, hook.call) + text[imports:]
		check(os.WriteFile(name, []byte(text), 0o644))
		return
	}
	fail("%s has no function %s", hook.file, hook.function)
}

// receiver is the name of the type that a method is one of.
func receiver(function *ast.FuncDecl) string {
	if function.Recv == nil {
		return ""
	}
	kind := function.Recv.List[0].Type
	if pointer, ok := kind.(*ast.StarExpr); ok {
		kind = pointer.X
	}
	name, ok := kind.(*ast.Ident)
	if !ok {
		return ""
	}
	return name.Name
}

// needed is the imports of a call that the file lacks.
func needed(file *ast.File, call string) string {
	text := ""
	for name, path := range map[string]string{
		"record.": "sigs.k8s.io/kustomize/kyaml/record", "strconv.": "strconv",
	} {
		present := false
		for _, spec := range file.Imports {
			present = present || spec.Path.Value == strconv.Quote(path)
		}
		if strings.Contains(call, name) && !present {
			text += "\nimport " + strconv.Quote(path) + "\n"
		}
	}
	return text
}

// summary is how many packages of a test run passed.
func summary(output string, err error) string {
	passed := strings.Count(output, "\nok ") + strings.Count(output[:min(3, len(output))], "ok ")
	failed := strings.Count(output, "\nFAIL\t")
	if passed == 0 && err != nil {
		fail("%s", output)
	}
	return fmt.Sprintf("%d packages pass, %d do not", passed, failed)
}

func run(folder string, environment []string, program string, arguments ...string) {
	command := exec.Command(program, arguments...)
	command.Dir = folder
	command.Env = append(os.Environ(), environment...)
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	check(command.Run())
}

func check(err error) {
	if err != nil {
		fail("%v", err)
	}
}

func fail(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, "suite: "+format+"\n", arguments...)
	os.Exit(1)
}
