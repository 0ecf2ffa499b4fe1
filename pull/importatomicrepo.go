package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"syscontainer/pull/ostree"
	"syscontainer/pull/store"
	"syscontainer/units"
)

// What containers/image kept in Atomic's OSTree repository: a commit for each image, layer and configuration, each named by
// a ref, and by metadata of the image's commit.
const (
	atomicRefs     = "ociimage"
	atomicManifest = "docker.manifest"
	atomicDigest   = "docker.digest"
)

// atomicRepo is that repository. It is read only.
type atomicRepo struct {
	root string
	path string // below root
	repo *ostree.Repo
	refs map[string]ostree.Checksum // by decoded name: of an image with its tag, or 64 digits
}

func openAtomicRepo(root, path string) (*atomicRepo, error) {
	repo, err := ostree.Open(filepath.Join(root, path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is no repository: $ATOMIC_OSTREE_REPO or ostree_repository in %s says where Atomic's is", path, atomicConf)
	} else if err != nil {
		return nil, err
	}
	found, err := repo.Refs(atomicRefs)
	if err != nil {
		repo.Close()
		return nil, err
	}
	r := &atomicRepo{root: root, path: path, repo: repo, refs: map[string]ostree.Checksum{}}
	for ref, commit := range found {
		if name, ok := decodeAtomicRef(strings.TrimPrefix(ref, atomicRefs+"/")); ok {
			r.refs[name] = commit
		}
	}
	return r, nil
}

// decodeAtomicRef undoes _XX, two digits in upper case for each character but letters, digits, dot and minus.
func decodeAtomicRef(ref string) (name string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(ref); i++ {
		if ref[i] != '_' {
			b.WriteByte(ref[i])
			continue
		}
		if len(ref) < i+3 {
			return "", false
		}
		c, err := hex.DecodeString(ref[i+1 : i+3])
		if err != nil {
			return "", false
		}
		b.Write(c)
		i += 2
	}
	return b.String(), true
}

// atomicImage is an image in the repository.
type atomicImage struct {
	reference string // canonical
	digest    string // 64 digits
	manifest  []byte
	config    []byte
	madeUp    bool // the config is not the image's own
	layers    []ostree.Checksum
	said      []string
}

// find finds the image of an installation: the one that is installed, and if that is gone the one that has its name.
func (r *atomicRepo) find(c *atomicContainer) (*atomicImage, error) {
	name := atomicImageName(c.image)
	var candidates []ostree.Checksum
	if commit, err := ostree.ParseChecksum(c.commit); err == nil {
		candidates = append(candidates, commit)
	}
	tagged, named := r.refs[name]
	if named && !slices.Contains(candidates, tagged) {
		candidates = append(candidates, tagged)
	}
	var other *atomicImage
	for _, commit := range candidates {
		image, err := r.read(commit)
		if errors.Is(err, fs.ErrNotExist) && commit != tagged {
			continue // pruned
		}
		if err != nil {
			return nil, fmt.Errorf("image %s in %s: %w", name, r.path, err)
		}
		if c.revision != "" && image.digest != c.revision {
			if other == nil {
				other = image
			}
			continue
		}
		return image, r.refer(image, name, named && commit == tagged)
	}
	if other != nil {
		other.said = append(other.said, "the version that is installed is not in "+r.path+" any more: this takes sha256:"+other.digest)
		return other, r.refer(other, name, named)
	}
	return nil, fmt.Errorf("image %s is not in %s", name, r.path)
}

// atomicImageName is the name of an image as the repository has it: with its tag or digest, and without what told Atomic
// where to get it.
func atomicImageName(image string) string {
	for _, transport := range []string{"oci:", "https:", "http:", "docker:"} {
		if rest, found := strings.CutPrefix(image, transport); found {
			image = strings.TrimPrefix(rest, "//")
			break
		}
	}
	if last := image[strings.LastIndexByte(image, '/')+1:]; !strings.ContainsAny(last, ":@") {
		image += ":latest"
	}
	return image
}

// refer gives an image its name in the store: the tag's if that is still this image's, else by digest, so that what is
// taken over is what ran.
func (r *atomicRepo) refer(image *atomicImage, name string, current bool) error {
	reference, err := canonical(r.root, name)
	if err != nil { // an image of the local docker, or one whose registry nobody knows
		if reference, err = units.ParseImage("localhost/" + name); err != nil {
			return err
		}
		image.said = append(image.said, fmt.Sprintf("%s names no registry: the image is %s here", name, reference))
	}
	image.reference = reference
	if stored, err := store.Lookup(r.root, reference); err == nil && stored.Digest != image.digest {
		current = false
	}
	if current || strings.Contains(reference, "@") {
		return nil
	}
	repository := reference
	if i := strings.LastIndexByte(reference, ':'); i > strings.LastIndexByte(reference, '/') {
		repository = reference[:i]
	}
	image.reference, err = units.ParseImage(repository + "@sha256:" + image.digest)
	image.said = append(image.said, fmt.Sprintf("%s is another version by now: the unit names the image by its digest", reference))
	return err
}

// dockerManifest is what any of the forms of a manifest says that Docker had.
type dockerManifest struct {
	Digest string `json:"Digest"`
	Config struct {
		Digest string `json:"digest"`
	} `json:"config"`
	LayersOf2 []struct {
		Digest string `json:"digest"`
	} `json:"layers"`
	LayersOf1 []struct {
		BlobSum string `json:"blobSum"`
	} `json:"fsLayers"`
	History []struct {
		V1Compatibility string `json:"v1Compatibility"`
	} `json:"history"`
}

// read reads an image's commit and finds all that belongs to it. A commit that is not there is fs.ErrNotExist.
func (r *atomicRepo) read(commit ostree.Checksum) (*atomicImage, error) {
	c, err := r.repo.ReadCommit(commit)
	if err != nil {
		return nil, err
	}
	text, layered := c.Metadata.Text(atomicManifest)
	if !layered {
		return r.flat(commit), nil
	}
	image := &atomicImage{manifest: []byte(text)}
	var m dockerManifest
	var listed struct{ Labels map[string]string }
	var layers struct{ Layers json.RawMessage }
	if err := json.Unmarshal(image.manifest, &m); err != nil {
		// "Layers", a list of texts, is "layers" as well to this parser.
		m = dockerManifest{}
		var list []string
		if json.Unmarshal(image.manifest, &layers) != nil || json.Unmarshal(layers.Layers, &list) != nil {
			return nil, fmt.Errorf("read its manifest: %w", err)
		}
		for _, digest := range list {
			m.LayersOf2 = append(m.LayersOf2, struct {
				Digest string `json:"digest"`
			}{digest})
		}
	}
	json.Unmarshal(image.manifest, &listed)
	var digests []string
	for _, l := range slices.Backward(m.LayersOf1) {
		digests = append(digests, l.BlobSum)
	}
	if len(digests) == 0 {
		for _, l := range m.LayersOf2 {
			digests = append(digests, l.Digest)
		}
	}
	var errs []error
	for _, digest := range digests {
		id, ok := digitsOf(digest)
		layer, found := r.refs[id]
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("its manifest names layer %.100q, which is no digest", digest))
		case !found:
			errs = append(errs, fmt.Errorf("Layer not found: %s.  Please pull the image again", id))
		}
		image.layers = append(image.layers, layer)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...) // none is fs.ErrNotExist
	}
	written, _ := c.Metadata.Text(atomicDigest)
	for _, digest := range []string{written, m.Digest, m.Config.Digest, "sha256:" + commit.String()} {
		if id, ok := digitsOf(digest); ok {
			image.digest = id
			break
		}
	}
	if id, ok := digitsOf(m.Config.Digest); ok {
		image.config = r.content(id)
	}
	if image.config == nil {
		image.config, image.madeUp = makeUpConfig(m, listed.Labels), true
	}
	return image, nil
}

// digitsOf are the digits of a SHA-256.
func digitsOf(digest string) (digits string, ok bool) {
	digits = strings.TrimPrefix(digest, "sha256:")
	return digits, len(digits) == 64 && strings.Trim(digits, "0123456789abcdef") == ""
}

// content reads the one file of a configuration's commit; nil: it is gone, or not what it is named.
func (r *atomicRepo) content(id string) []byte {
	commit, found := r.refs[id]
	if !found {
		return nil
	}
	c, err := r.repo.ReadCommit(commit)
	if err != nil {
		return nil
	}
	top, err := r.repo.ReadDirTree(c.Tree)
	if err != nil {
		return nil
	}
	for _, f := range top.Files {
		if f.Name != "content" {
			continue
		}
		file, err := r.repo.OpenFile(f.File)
		if err != nil {
			return nil
		}
		data, err := readAllOf(file)
		file.Close()
		if err == nil && digestOf(data) == "sha256:"+id && json.Valid(data) {
			return data
		}
	}
	return nil
}

// flat is an image whose commit is its root itself.
func (r *atomicRepo) flat(commit ostree.Checksum) *atomicImage {
	image := &atomicImage{layers: []ostree.Checksum{commit}, config: makeUpConfig(dockerManifest{}, nil), madeUp: true}
	image.manifest, _ = json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": []any{},
		"config":      map[string]any{"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digestOf(image.config), "size": len(image.config)},
		"annotations": map[string]string{"ostree.commit": commit.String()},
	})
	image.digest, _ = digitsOf(digestOf(image.manifest))
	image.madeUp = false
	return image
}

// makeUpConfig says of an image without its own configuration what the manifest knows of it: an old one has the
// configuration in it, others may have labels.
func makeUpConfig(m dockerManifest, labels map[string]string) []byte {
	config := map[string]any{"architecture": runtime.GOARCH, "os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": []string{}}}
	inner := map[string]any{}
	if len(m.History) > 0 {
		var old map[string]any
		json.Unmarshal([]byte(m.History[0].V1Compatibility), &old)
		for _, key := range []string{"architecture", "os", "created"} {
			if text, is := old[key].(string); is {
				config[key] = text
			}
		}
		for _, key := range []string{"config", "container_config"} {
			if kept, is := old[key].(map[string]any); is && len(inner) == 0 {
				inner = kept
			}
		}
	}
	if len(labels) > 0 {
		inner["Labels"] = labels
	}
	config["config"] = inner
	data, _ := json.Marshal(config)
	return data
}

// sound reads everything of an image in the repository, and compares it with its checksums.
func (r *atomicRepo) sound(ctx context.Context, image *atomicImage) error {
	var problems []error
	err := r.repo.Verify(ctx, image.layers, func(_ ostree.Checksum, p ostree.Problem) {
		if len(problems) < 20 {
			problems = append(problems, fmt.Errorf("%s: %w", r.path, p))
		}
	})
	return errors.Join(append(problems, err)...)
}
