package main

import (
	"bufio"
	"encoding/json"
	"os"

	"github.com/Masterminds/semver/v3"
)

type question struct {
	Constraint string   `json:"constraint"`
	Pre        bool     `json:"pre"`
	Versions   []string `json:"versions"`
}

// The peer of versions.rs. Each line of stdin is a question, each line of stdout
// its answer: null where the constraint is refused, else a list with null for
// what is no version, and whether the constraint allows it for the others.
func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	out := json.NewEncoder(os.Stdout)
	for in.Scan() {
		var q question
		if err := json.Unmarshal(in.Bytes(), &q); err != nil {
			panic(err)
		}
		c, err := semver.NewConstraint(q.Constraint)
		if err != nil {
			_ = out.Encode(nil)
			continue
		}
		c.IncludePrerelease = q.Pre
		answers := []any{}
		for _, text := range q.Versions {
			v, err := semver.NewVersion(text)
			if err != nil {
				answers = append(answers, nil)
				continue
			}
			answers = append(answers, c.Check(v))
		}
		_ = out.Encode(answers)
	}
}
