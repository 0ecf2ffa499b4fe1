package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"runtime"
	"slices"

	digest "github.com/opencontainers/go-digest"
	imgspec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/signature"
	"go.podman.io/image/v5/types"
	"go.podman.io/storage/pkg/configfile"
)

// Image is what a reference resolved to, checked and allowed.
type Image struct {
	Digest   string // hex SHA-256 of Manifest
	Manifest []byte // of this platform, never an index
	Config   []byte // the document the manifest names, its digest checked
	Layers   []Layer
}

// Layer is one layer, base first in Image.Layers.
type Layer struct {
	Digest digest.Digest // of the stream as it is transferred
	Size   int64         // of that stream
	DiffID digest.Digest // of the uncompressed tar stream

	info types.BlobInfo
}

// Size is the number of bytes that fetching all layers transfers.
func (i *Image) Size() (n int64) {
	for _, l := range i.Layers {
		n += l.Size
	}
	return n
}

// Resolve fetches the manifest for this machine's platform, asks policy.json
// about it, and reads the configuration. Nothing of the image is believed, and
// no layer asked for, before the policy has allowed it.
func (s *Source) Resolve(ctx context.Context) (*Image, error) {
	var resolved *Image
	err := retry(ctx, func() (err error) {
		resolved, err = s.resolve(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resolved, nil
}

func (s *Source) resolve(ctx context.Context) (*Image, error) {
	unparsed, err := s.instance(ctx)
	if err != nil {
		return nil, err
	}
	raw, mediaType, err := unparsed.Manifest(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if err := s.allowed(ctx, unparsed); err != nil {
		return nil, err
	}
	if err := checkManifestType(mediaType); err != nil {
		return nil, err
	}
	parsed, err := image.FromUnparsedImage(ctx, s.sys, unparsed)
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if err := checkConfigType(parsed.ConfigInfo().MediaType); err != nil {
		return nil, err
	}
	config, err := parsed.ConfigBlob(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the image configuration: %w", err)
	}
	layers, err := s.layers(ctx, parsed, config)
	if err != nil {
		return nil, err
	}
	return &Image{
		Digest:   digest.FromBytes(raw).Encoded(),
		Manifest: raw,
		Config:   config,
		Layers:   layers,
	}, nil
}

// instance picks this machine's image where the reference names an index.
func (s *Source) instance(ctx context.Context) (*image.UnparsedImage, error) {
	top := image.UnparsedInstance(s.src, nil)
	raw, mediaType, err := top.Manifest(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if !manifest.MIMETypeIsMultiImage(mediaType) {
		return top, nil
	}
	list, err := manifest.ListFromBlob(raw, mediaType)
	if err != nil {
		return nil, fmt.Errorf("read the image index: %w", err)
	}
	chosen, err := list.ChooseInstance(s.sys)
	if err != nil {
		return nil, fmt.Errorf("the index has no image for %s/%s: %w", runtime.GOOS, runtime.GOARCH, err)
	}
	return image.UnparsedInstance(s.src, &chosen), nil
}

// allowed asks policy.json. A machine without one has not said what it trusts,
// and that is no permission.
func (s *Source) allowed(ctx context.Context, unparsed types.UnparsedImage) error {
	policy, err := signature.DefaultPolicy(s.sys)
	if errors.Is(err, configfile.ErrConfigFileNotFound) {
		return fmt.Errorf("no signature policy, so nothing is allowed: %w\n"+
			"hint: install your distribution's containers-common, or write /etc/containers/policy.json, see containers-policy.json(5)", err)
	}
	if err != nil {
		return fmt.Errorf("signature policy: %w", err)
	}
	pc, err := signature.NewPolicyContext(policy)
	if err != nil {
		return fmt.Errorf("signature policy: %w", err)
	}
	defer pc.Destroy()
	if ok, err := pc.IsRunningImageAllowed(ctx, unparsed); !ok {
		return fmt.Errorf("the signature policy refuses it: %w", err)
	}
	return nil
}

func (s *Source) layers(ctx context.Context, parsed types.Image, raw []byte) ([]Layer, error) {
	var config imgspec.Image
	if err := json.Unmarshal(raw, &config); err != nil {
		return nil, fmt.Errorf("read the image configuration: %w", err)
	}
	if err := checkPlatform(config.OS, config.Architecture); err != nil {
		return nil, err
	}
	infos := parsed.LayerInfos()
	if other, err := s.src.LayerInfosForCopy(ctx, nil); err != nil {
		return nil, fmt.Errorf("list the layers: %w", err)
	} else if other != nil {
		infos = other
	}
	diffIDs := config.RootFS.DiffIDs
	if config.RootFS.Type != "layers" || len(infos) != len(diffIDs) {
		return nil, fmt.Errorf("the manifest has %d layers, the configuration %d diff_ids of type %q",
			len(infos), len(diffIDs), config.RootFS.Type)
	}
	layers := make([]Layer, len(infos))
	for i, info := range infos {
		for _, d := range []digest.Digest{info.Digest, diffIDs[i]} {
			if d.Validate() != nil || d.Algorithm() != digest.SHA256 {
				return nil, fmt.Errorf("layer %d: digest %q is not a sha256 digest", i+1, d)
			}
		}
		if err := checkLayerType(info.MediaType); err != nil {
			return nil, fmt.Errorf("layer %s: %w", info.Digest, err)
		}
		info.URLs = nil // the image does not tell us where else to connect to
		layers[i] = Layer{Digest: info.Digest, Size: info.Size, DiffID: diffIDs[i], info: info}
	}
	return layers, nil
}

// sister architectures whose programs this machine's kernel runs as well.
var sister = map[string]string{"amd64": "386", "arm64": "arm"}

func checkPlatform(os, architecture string) error {
	osFits := os == "" || os == runtime.GOOS
	archFits := architecture == "" || architecture == runtime.GOARCH || architecture == sister[runtime.GOARCH]
	if osFits && archFits {
		return nil
	}
	return fmt.Errorf("the image is for %s/%s, this machine is %s/%s", os, architecture, runtime.GOOS, runtime.GOARCH)
}

func checkManifestType(mediaType string) error {
	switch manifest.NormalizedMIMEType(mediaType) {
	case imgspec.MediaTypeImageManifest, manifest.DockerV2Schema2MediaType:
		return nil
	}
	return fmt.Errorf("unsupported manifest type %q: Docker schema 2 or an OCI image manifest is needed", mediaType)
}

func checkConfigType(mediaType string) error {
	switch mediaType {
	case imgspec.MediaTypeImageConfig, manifest.DockerV2Schema2ConfigMediaType:
		return nil
	}
	return fmt.Errorf("unsupported configuration type %q: an artifact, not a container image", mediaType)
}

// layerTypes is what a tar reader can make files of. The compression is told
// by the first bytes, not by the type.
var layerTypes = []string{
	imgspec.MediaTypeImageLayer, imgspec.MediaTypeImageLayerGzip, imgspec.MediaTypeImageLayerZstd,
	"application/vnd.oci.image.layer.nondistributable.v1.tar",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
	"application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
	manifest.DockerV2Schema2LayerMediaType, manifest.DockerV2SchemaLayerMediaTypeUncompressed,
	"application/vnd.docker.image.rootfs.diff.tar.zstd",
	manifest.DockerV2Schema2ForeignLayerMediaType, manifest.DockerV2Schema2ForeignLayerMediaTypeGzip,
}

func checkLayerType(mediaType string) error {
	plain, _, err := mime.ParseMediaType(mediaType)
	if err == nil && slices.Contains(layerTypes, plain) {
		return nil
	}
	return fmt.Errorf("unsupported layer type %q", mediaType)
}
