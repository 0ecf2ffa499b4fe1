package main

import (
	"encoding/json"
	"fmt"

	"syscontainer/pull/store"
)

// description is what an image's configuration says (image-spec, config.md), or that of Docker.
type description struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
	Variant      string `json:"variant"`
	Config       struct {
		User         string              `json:"User"`
		Env          []string            `json:"Env"`
		Entrypoint   []string            `json:"Entrypoint"`
		Cmd          []string            `json:"Cmd"`
		WorkingDir   string              `json:"WorkingDir"`
		StopSignal   string              `json:"StopSignal"`
		Volumes      map[string]struct{} `json:"Volumes"`
		ExposedPorts map[string]struct{} `json:"ExposedPorts"`
		Labels       map[string]string   `json:"Labels"`
	} `json:"config"`
	ContainerConfig struct {
		Labels map[string]string `json:"Labels"`
	} `json:"container_config"`
	RootFS struct {
		DiffIDs []string `json:"diff_ids"`
	} `json:"rootfs"`
}

// readDescription reads the configuration of a stored image. Old builders put labels elsewhere.
func readDescription(image store.Image) (*description, error) {
	document, err := image.Document("config.json")
	if err != nil {
		return nil, fmt.Errorf("read the image's configuration: %w", err)
	}
	d := new(description)
	if err := json.Unmarshal(document, d); err != nil {
		return nil, fmt.Errorf("read the image's configuration: %w", err)
	}
	if len(d.Config.Labels) == 0 {
		d.Config.Labels = d.ContainerConfig.Labels
	}
	return d, nil
}
