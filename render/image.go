package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// imageConfig is the part of an image's configuration (image-spec, config.md;
// Docker's has the same names) that shapes a container. The image's author wrote
// it: it sets what the payload sees, never what the host does.
type imageConfig struct {
	Config struct {
		User       string
		Env        []string
		Entrypoint []string
		Cmd        []string
		WorkingDir string
		StopSignal string
		Volumes    map[string]struct{}
	} `json:"config"`
}

// parseImageConfig reads config.json. Unknown members are ignored, wrong types
// and NUL bytes, which no process can be given, are errors.
func parseImageConfig(data []byte) (*imageConfig, error) {
	image := new(imageConfig)
	if err := json.Unmarshal(data, image); err != nil {
		return nil, fmt.Errorf("read the image's configuration: %w", err)
	}
	c := &image.Config
	for _, list := range [][]string{{c.User, c.WorkingDir, c.StopSignal}, slices.Collect(maps.Keys(c.Volumes)), c.Env, c.Entrypoint, c.Cmd} {
		for _, s := range list {
			if strings.IndexByte(s, 0) >= 0 {
				return nil, fmt.Errorf("read the image's configuration: NUL byte in %q", s)
			}
		}
	}
	return image, nil
}
