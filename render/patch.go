package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/units"
)

// longestPatch bounds a file of ConfigPatch=.
const longestPatch = 4 << 20

// patch applies the unit's merge patches to an encoded specification, in their order.
// What comes out is still a specification that names a program and a root, else the
// error names the patch. With none, both are returned as they are.
func patch(document []byte, s *rspec.Spec, patches []units.ConfigPatch) ([]byte, *rspec.Spec, error) {
	for i, p := range patches {
		name, text := "ConfigPatch= no. "+strconv.Itoa(i+1), []byte(p.JSON)
		if p.File != "" {
			name = "ConfigPatch=" + p.File
			var err error
			if text, err = readHostFile(p.File, longestPatch); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", name, cause(err))
			}
		}
		patched, result, err := patchOnce(document, text)
		if err == nil && result.Root.Path != s.Root.Path {
			// What is mounted there is read-only; what else is named may be a checkout.
			err = withHint(fmt.Errorf("root.path cannot be %s: the root is put together elsewhere", result.Root.Path), "set Rootfs= for a root of your own")
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", name, err)
		}
		document, s = patched, result
	}
	return document, s, nil
}

func patchOnce(document, text []byte) ([]byte, *rspec.Spec, error) {
	change, err := decodeJSON(text)
	if err != nil {
		return nil, nil, err
	}
	if _, object := change.(map[string]any); !object {
		return nil, nil, errors.New("a JSON object is expected")
	}
	original, err := decodeJSON(document)
	if err != nil {
		return nil, nil, err
	}
	if document, err = json.Marshal(merge(original, change)); err != nil {
		return nil, nil, err
	}
	s := new(rspec.Spec)
	if err := json.Unmarshal(document, s); err != nil {
		if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
			return nil, nil, fmt.Errorf("%s cannot be a %s", wrong.Field, wrong.Value)
		}
		return nil, nil, err
	}
	switch {
	case s.Process == nil || len(s.Process.Args) == 0:
		return nil, nil, errors.New("nothing is left to run in process.args")
	case s.Process.Cwd == "":
		return nil, nil, errors.New("process.cwd is gone")
	case s.Root == nil || s.Root.Path == "":
		return nil, nil, errors.New("no root is left in root.path")
	case s.Linux == nil:
		return nil, nil, errors.New("linux is gone")
	}
	return document, s, nil
}

// decodeJSON keeps numbers as they are written.
func decodeJSON(data []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err = d.Decode(&value); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("something follows the JSON value")
	}
	return value, nil
}

// merge is MergePatch of RFC 7396, section 2.
func merge(target, change any) any {
	members, object := change.(map[string]any)
	if !object {
		return change
	}
	result, object := target.(map[string]any)
	if !object {
		result = make(map[string]any)
	}
	for name, value := range members {
		if value == nil {
			delete(result, name)
			continue
		}
		result[name] = merge(result[name], value)
	}
	return result
}
