// Package record writes down what kustomize's own tests hand to kustomize:
// file trees with the folder to build, filters with their input, patches with
// their target, and texts. It is woven into a copy of kustomize, and writes
// one JSON document a line to a file of its own in the folder RECORD names.
package record

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
)

// Entry is one thing that a test handed over.
type Entry struct {
	Test   string                     `json:"test"`
	Tree   map[string][]byte          `json:"tree,omitempty"`
	Links  map[string]string          `json:"links,omitempty"`
	Path   string                     `json:"path,omitempty"`
	Option map[string]string          `json:"options,omitempty"`
	Filter string                     `json:"filter,omitempty"`
	Fields map[string]json.RawMessage `json:"fields,omitempty"`
	Patch  string                     `json:"patch,omitempty"`
	Text   string                     `json:"text,omitempty"`
}

// FileSystem is what is needed of kustomize's file systems.
type FileSystem interface {
	Walk(path string, walk filepath.WalkFunc) error
	ReadFile(path string) ([]byte, error)
}

var (
	lock sync.Mutex
	out  *os.File
)

// Build is called where a kustomization is about to be loaded.
func Build(files FileSystem, path string, options map[string]string) {
	test := caller()
	if test == "" {
		return
	}
	root := "/"
	if strings.HasSuffix(fmt.Sprintf("%T", files), "OnDisk") {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return
		}
		root = absolute
		temporary, err := filepath.EvalSymlinks(os.TempDir())
		if below, found := strings.CutPrefix(absolute, temporary+"/"); err == nil && found {
			root = filepath.Join(temporary, strings.SplitN(below, "/", 2)[0])
		}
		path = absolute
	}
	entry := Entry{Test: test, Tree: map[string][]byte{}, Links: map[string]string{}, Option: options}
	entry.Path = relative(root, path)
	_ = files.Walk(root, func(at string, info os.FileInfo, err error) error {
		switch {
		case err != nil || info.IsDir():
		case info.Mode()&os.ModeSymlink != 0:
			if target, err := os.Readlink(at); err == nil {
				entry.Links[relative(root, at)] = target
			}
		default:
			if content, err := files.ReadFile(at); err == nil {
				entry.Tree[relative(root, at)] = content
			}
		}
		return nil
	})
	if len(entry.Tree) > 0 {
		entry.write()
	}
}

// Filter is called where a test runs a filter over a text.
func Filter(filter any, input string) {
	value := reflect.Indirect(reflect.ValueOf(filter))
	if value.Kind() != reflect.Struct {
		return
	}
	entry := Entry{Test: caller(), Filter: value.Type().String(), Text: input, Fields: map[string]json.RawMessage{}}
	for i := range value.NumField() {
		field := value.Type().Field(i)
		if !field.IsExported() {
			continue
		}
		content := value.Field(i).Interface()
		if node, ok := content.(interface{ MustString() string }); ok && !value.Field(i).IsNil() {
			content = node.MustString()
		}
		if text, err := json.Marshal(content); err == nil {
			entry.Fields[field.Name] = text
		}
	}
	entry.write()
}

// Merge is called where a patch is merged into a target, both texts.
func Merge(patch, target string) {
	Entry{Test: caller(), Patch: patch, Text: target}.write()
}

// Text is called where a test hands over YAML.
func Text(text string) {
	if _, file, _, ok := runtime.Caller(2); ok && strings.HasSuffix(file, "_test.go") {
		Entry{Test: caller(), Text: text}.write()
	}
}

// caller is the name of the test that is running, or empty where none is.
func caller() string {
	frames := make([]uintptr, 100)
	walk := runtime.CallersFrames(frames[:runtime.Callers(2, frames)])
	for {
		frame, more := walk.Next()
		if strings.HasSuffix(frame.File, "_test.go") {
			name := frame.Function[strings.LastIndex(frame.Function, "/")+1:]
			if parts := strings.Split(name, "."); len(parts) > 1 {
				for _, part := range parts[1:] {
					if strings.HasPrefix(part, "Test") || strings.HasPrefix(part, "Example") {
						return strings.TrimSuffix(parts[0], "_test") + "." + part
					}
				}
			}
		}
		if !more {
			return ""
		}
	}
}

func relative(root, path string) string {
	path = strings.TrimPrefix(filepath.Clean("/"+path), root)
	if path = strings.TrimPrefix(path, "/"); path == "." {
		return ""
	}
	return path
}

func (e Entry) write() {
	folder := os.Getenv("RECORD")
	if folder == "" || e.Test == "" {
		return
	}
	lock.Lock()
	defer lock.Unlock()
	if out == nil {
		file, err := os.CreateTemp(folder, "*.jsonl")
		if err != nil {
			panic(err)
		}
		out = file
	}
	line, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	if _, err := out.Write(append(line, '\n')); err != nil {
		panic(err)
	}
}
