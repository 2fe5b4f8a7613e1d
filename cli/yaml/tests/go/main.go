package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"

	yaml3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// The peer of go_differential.rs. Each line of stdin is one case in base64, each
// line of stdout its answer: {"ok":false}, or with "read" {"ok":true,"json":[…]}
// (go-yaml v3, a value a document) and with "write" {"ok":true,"yaml":"…"}
// (sigs.k8s.io/yaml).
func main() {
	mode := os.Args[1]
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<26), 1<<26)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for in.Scan() {
		b, _ := base64.StdEncoding.DecodeString(in.Text())
		out.WriteString(run(mode, b) + "\n")
	}
}

func run(mode string, b []byte) (res string) {
	defer func() {
		if r := recover(); r != nil {
			res = `{"ok":false,"err":"panic"}`
		}
	}()
	if mode == "write" {
		y, err := yaml.JSONToYAML(b)
		if err != nil {
			return `{"ok":false}`
		}
		o, _ := json.Marshal(map[string]any{"ok": true, "yaml": string(y)})
		return string(o)
	}
	dec := yaml3.NewDecoder(bytes.NewReader(b))
	docs := []json.RawMessage{}
	for {
		var n yaml3.Node
		err := dec.Decode(&n)
		if err == io.EOF {
			break
		}
		if err != nil {
			e, _ := json.Marshal(err.Error())
			return `{"ok":false,"err":` + string(e) + `}`
		}
		var v any
		if err := n.Decode(&v); err != nil {
			e, _ := json.Marshal(err.Error())
			return `{"ok":false,"err":` + string(e) + `}`
		}
		j, err := json.Marshal(fix(v))
		if err != nil {
			return `{"ok":false,"err":"json"}`
		}
		docs = append(docs, j)
	}
	o, _ := json.Marshal(map[string]any{"ok": true, "json": docs})
	return string(o)
}

func fix(v any) any {
	switch v := v.(type) {
	case map[any]any:
		m := map[string]any{}
		for k, x := range v {
			m[fmt.Sprint(k)] = fix(x)
		}
		return m
	case map[string]any:
		for k, x := range v {
			v[k] = fix(x)
		}
		return v
	case []any:
		for i := range v {
			v[i] = fix(v[i])
		}
	}
	return v
}
