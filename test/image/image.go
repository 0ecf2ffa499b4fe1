// SPDX-License-Identifier: Apache-2.0

// Package image makes container images for tests, good ones and hostile ones, as OCI layouts (image-spec, image-layout.md),
// and real registries to pull them from.
//
// What it writes depends on its input only: no clock, no random numbers. An image that is wrong on purpose is wrong in
// the one way its fields say.
package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/klauspost/compress/zstd"
)

// Entry is one entry of a layer. Size is set from Data.
type Entry struct {
	tar.Header
	Data []byte
}

// Compression of a layer.
const (
	Gzip = "gzip" // fast; also what "" means
	Best = "best" // gzip as registries have it, small and slow to make
	Zstd = "zstd"
	None = "none"
)

// Layer is one layer of an image.
type Layer struct {
	Entries     []Entry
	Compression string
	MediaType   string // instead of the one that fits
	URLs        []string

	// Ways to be wrong.
	CutTar      bool // the tar stream ends in the middle, all digests fit
	CutBlob     bool // the blob is shorter than its descriptor says
	WrongDigest bool // one byte of the blob differs from what was hashed
	WrongDiffID bool // the config names another uncompressed digest
}

// Config is the part of an image configuration (image-spec, config.md) that a runtime looks at.
type Config struct {
	Entrypoint   []string            `json:",omitempty"`
	Cmd          []string            `json:",omitempty"`
	Env          []string            `json:",omitempty"`
	User         string              `json:",omitempty"`
	WorkingDir   string              `json:",omitempty"`
	StopSignal   string              `json:",omitempty"`
	Volumes      map[string]struct{} `json:",omitempty"`
	ExposedPorts map[string]struct{} `json:",omitempty"`
	Labels       map[string]string   `json:",omitempty"`
}

// Image is one image, for this machine's architecture unless another is named.
type Image struct {
	Layers       []Layer
	Config       Config
	Architecture string
	Created      string // RFC 3339; no time unless given
	ConfigType   string // media type of the config instead of the one that fits
}

// Descriptor names a blob (image-spec, descriptor.md).
type Descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	URLs        []string          `json:"urls,omitempty"`
	Platform    *Platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// Platform is what an image runs on.
type Platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// Hex is the digest without its algorithm.
func (d Descriptor) Hex() string { return d.Digest[len("sha256:"):] }

// Layout is an OCI layout in a directory.
type Layout struct {
	Dir  string
	tags []Descriptor
}

// Create makes an empty layout; the directory may exist.
func Create(dir string) (*Layout, error) {
	l := &Layout{Dir: dir}
	if err := os.MkdirAll(filepath.Join(dir, "blobs/sha256"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "oci-layout"), []byte(`{"imageLayoutVersion":"1.0.0"}`), 0o644); err != nil {
		return nil, err
	}
	return l, l.writeIndex()
}

// Put adds an image under a tag; oci:DIR:TAG names it. For Docker's media types push it with --format=v2s2.
func (l *Layout) Put(tag string, img Image) (Descriptor, error) {
	d, err := l.put(img)
	if err != nil {
		return d, err
	}
	return d, l.tag(tag, d)
}

// PutIndex adds images of several architectures under one tag.
func (l *Layout) PutIndex(tag string, images ...Image) (Descriptor, error) {
	var manifests []Descriptor
	for _, img := range images {
		d, err := l.put(img)
		if err != nil {
			return d, err
		}
		d.Platform = &Platform{Architecture: img.architecture(), OS: "linux"}
		manifests = append(manifests, d)
	}
	const mediaType = "application/vnd.oci.image.index.v1+json"
	d, err := l.putJSON(mediaType, map[string]any{"schemaVersion": 2, "mediaType": mediaType, "manifests": manifests})
	if err != nil {
		return d, err
	}
	return d, l.tag(tag, d)
}

// Blob is the path of a blob, for a test that wants to damage it.
func (l *Layout) Blob(d Descriptor) string { return filepath.Join(l.Dir, "blobs/sha256", d.Hex()) }

func (img Image) architecture() string {
	if img.Architecture != "" {
		return img.Architecture
	}
	return runtime.GOARCH
}

func (l *Layout) put(img Image) (Descriptor, error) {
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType := "application/vnd.oci.image.config.v1+json"
	if img.ConfigType != "" {
		configType = img.ConfigType
	}
	layers, diffIDs := []Descriptor{}, []string{}
	for _, layer := range img.Layers {
		d, diffID, err := l.putLayer(layer)
		if err != nil {
			return d, err
		}
		layers, diffIDs = append(layers, d), append(diffIDs, diffID)
	}
	document := map[string]any{
		"architecture": img.architecture(),
		"os":           "linux",
		"config":       img.Config,
		"rootfs":       map[string]any{"type": "layers", "diff_ids": diffIDs},
	}
	if img.Created != "" {
		document["created"] = img.Created
	}
	config, err := l.putJSON(configType, document)
	if err != nil {
		return config, err
	}
	return l.putJSON(manifestType, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": layers,
	})
}

func (l *Layout) putLayer(layer Layer) (d Descriptor, diffID string, err error) {
	stream, err := Tar(layer.Entries)
	if err != nil {
		return d, "", err
	}
	if layer.CutTar {
		stream = stream[:len(stream)/2/512*512-100]
	}
	diffID = sum(stream)
	if layer.WrongDiffID {
		diffID = sum([]byte("something else"))
	}
	blob, suffix, err := compress(stream, layer.Compression)
	if err != nil {
		return d, "", err
	}
	d = Descriptor{MediaType: "application/vnd.oci.image.layer.v1.tar" + suffix, Digest: sum(blob), Size: int64(len(blob)), URLs: layer.URLs}
	if layer.MediaType != "" {
		d.MediaType = layer.MediaType
	}
	if layer.WrongDigest {
		blob[len(blob)/2] ^= 0x10
	}
	if layer.CutBlob {
		blob = blob[:len(blob)/2]
	}
	return d, diffID, os.WriteFile(l.Blob(d), blob, 0o644)
}

func compress(stream []byte, how string) (blob []byte, suffix string, err error) {
	var b bytes.Buffer
	switch how {
	case None:
		return bytes.Clone(stream), "", nil
	case Gzip, Best, "":
		level := gzip.BestSpeed
		if how == Best {
			level = gzip.DefaultCompression
		}
		w, _ := gzip.NewWriterLevel(&b, level)
		_, err = w.Write(stream)
		if err == nil {
			err = w.Close()
		}
		return b.Bytes(), "+gzip", err
	case Zstd:
		w, err := zstd.NewWriter(nil)
		if err != nil {
			return nil, "", err
		}
		defer w.Close()
		return w.EncodeAll(stream, nil), "+zstd", nil
	}
	return nil, "", fmt.Errorf("compress a layer: unknown %q", how)
}

// Tar is the uncompressed stream of a layer.
func Tar(entries []Entry) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := e.Header
		h.Size = int64(len(e.Data))
		if err := w.WriteHeader(&h); err != nil {
			return nil, fmt.Errorf("write entry %q: %w", h.Name, err)
		}
		if _, err := w.Write(e.Data); err != nil {
			return nil, fmt.Errorf("write entry %q: %w", h.Name, err)
		}
	}
	return b.Bytes(), w.Close()
}

func (l *Layout) putJSON(mediaType string, v any) (Descriptor, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Descriptor{}, err
	}
	d := Descriptor{MediaType: mediaType, Digest: sum(b), Size: int64(len(b))}
	return d, os.WriteFile(l.Blob(d), b, 0o644)
}

func (l *Layout) tag(tag string, d Descriptor) error {
	d.Annotations = map[string]string{"org.opencontainers.image.ref.name": tag}
	for i, t := range l.tags {
		if t.Annotations["org.opencontainers.image.ref.name"] == tag {
			l.tags = append(l.tags[:i], l.tags[i+1:]...)
			break
		}
	}
	l.tags = append(l.tags, d)
	return l.writeIndex()
}

func (l *Layout) writeIndex() error {
	manifests := l.tags
	if manifests == nil {
		manifests = []Descriptor{}
	}
	b, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": manifests})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(l.Dir, "index.json"), b, 0o644)
}

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(s[:])
}
