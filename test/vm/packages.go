// SPDX-License-Identifier: Apache-2.0

package vm

import (
	"fmt"
	"os/exec"
	"strings"
)

// packageFiles are the paths of installed packages and of all they depend on, documentation aside.
func packageFiles(names []string) ([]string, error) {
	out, err := exec.Command("dpkg-query", "-W", "-f", "${binary:Package}\t${Essential}\t${Provides}\t${Pre-Depends}, ${Depends}\n").Output()
	if err != nil {
		return nil, fmt.Errorf("list the installed packages: %w", err)
	}
	type pkg struct{ name, depends string }
	installed := map[string]pkg{} // by name and by what it provides
	todo := names
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 4 {
			continue
		}
		name, _, _ := strings.Cut(f[0], ":")
		p := pkg{f[0], f[3]}
		installed[name] = p
		for _, provided := range relations(f[2]) {
			if _, taken := installed[provided[0]]; !taken {
				installed[provided[0]] = p
			}
		}
		if f[1] == "yes" {
			todo = append(todo, name)
		}
	}
	chosen := map[string]bool{}
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		p, ok := installed[name]
		if !ok {
			return nil, fmt.Errorf("package %s is not installed", name)
		}
		if chosen[p.name] {
			continue
		}
		chosen[p.name] = true
		for _, alternatives := range relations(p.depends) {
			for _, a := range alternatives {
				if _, ok := installed[a]; ok {
					todo = append(todo, a)
					break
				}
			}
		}
	}
	args := []string{"-L"}
	for name := range chosen {
		args = append(args, name)
	}
	out, err = exec.Command("dpkg-query", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("list files of packages: %w", err)
	}
	seen := map[string]bool{}
	var files []string
	for line := range strings.Lines(string(out)) {
		f := strings.TrimSuffix(line, "\n")
		if !strings.HasPrefix(f, "/") || f == "/." || seen[f] {
			continue
		}
		seen[f] = true
		skip := false
		for _, d := range []string{"/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/info", "/usr/share/i18n", "/usr/share/zoneinfo", "/usr/lib/x86_64-linux-gnu/perl", "/usr/share/perl"} {
			skip = skip || strings.HasPrefix(f, d)
		}
		if !skip {
			files = append(files, f)
		}
	}
	return files, nil
}

// relations are the names in a field such as Depends: each a list of alternatives, versions dropped.
func relations(field string) (all [][]string) {
	for _, one := range strings.Split(field, ",") {
		var alternatives []string
		for _, a := range strings.Split(one, "|") {
			a, _, _ = strings.Cut(strings.TrimSpace(a), " ")
			a, _, _ = strings.Cut(a, ":")
			if a != "" {
				alternatives = append(alternatives, a)
			}
		}
		if len(alternatives) > 0 {
			all = append(all, alternatives)
		}
	}
	return all
}
