package registry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"slices"

	digest "github.com/opencontainers/go-digest"
	imgspec "github.com/opencontainers/image-spec/specs-go/v1"
	"go.podman.io/image/v5/image"
	"go.podman.io/image/v5/manifest"
	"go.podman.io/image/v5/pkg/blobinfocache/none"
	"go.podman.io/image/v5/types"
)

// Image is what a reference resolved to, checked and allowed.
type Image struct {
	Digest   string // hex SHA-256 of Manifest
	Index    string // hex SHA-256 of the index it was chosen from, "" if the reference names no index
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
		return nil, clean(err)
	}
	return resolved, nil
}

func (s *Source) resolve(ctx context.Context) (*Image, error) {
	chosen, err := s.choose(ctx)
	if err != nil {
		return nil, err
	}
	var stored, config []byte
	if s.stored != nil && chosen.digest.Algorithm() == digest.SHA256 {
		stored, config = s.stored(chosen.digest.Encoded())
	}
	raw, mediaType := stored, manifest.GuessMIMEType(stored)
	if chosen.index == "" || digest.FromBytes(stored) != chosen.digest {
		if raw, mediaType, err = chosen.Manifest(ctx); err != nil {
			return nil, fmt.Errorf("read the manifest: %w", err)
		}
	}
	if err := s.allowed(ctx, chosen); err != nil {
		return nil, err
	}
	if err := checkManifestType(mediaType); err != nil {
		return nil, err
	}
	parsed, err := manifest.FromBlob(raw, manifest.NormalizedMIMEType(mediaType))
	if err != nil {
		return nil, fmt.Errorf("read the manifest: %w", err)
	}
	if err := checkConfigType(parsed.ConfigInfo().MediaType); err != nil {
		return nil, err
	}
	if config, err = s.config(ctx, parsed.ConfigInfo(), config); err != nil {
		return nil, fmt.Errorf("read the image configuration: %w", err)
	}
	layers, err := s.layers(ctx, parsed, config)
	if err != nil {
		return nil, err
	}
	return &Image{
		Digest:   digest.FromBytes(raw).Encoded(),
		Index:    chosen.index,
		Manifest: raw,
		Config:   config,
		Layers:   layers,
	}, nil
}

// instance is the manifest of one platform, fetched when it is looked at.
type instance struct {
	*image.UnparsedImage
	digest digest.Digest
	index  string // the digest in hex of the index it is from, "" if from none
}

// choose picks the image of the wanted platform where the reference names an
// index.
func (s *Source) choose(ctx context.Context) (instance, error) {
	top := image.UnparsedInstance(s.src, nil)
	raw, mediaType, err := top.Manifest(ctx)
	if err != nil {
		return instance{}, fmt.Errorf("read the manifest: %w", err)
	}
	named := digest.FromBytes(raw)
	if !manifest.MIMETypeIsMultiImage(mediaType) {
		return instance{top, named, ""}, nil
	}
	list, err := manifest.ListFromBlob(raw, mediaType)
	if err != nil {
		return instance{}, fmt.Errorf("read the image index: %w", err)
	}
	chosen, err := list.ChooseInstance(s.sys)
	if err != nil {
		return instance{}, fmt.Errorf("the index has no image for %s, it has %s", s.wanted(), platforms(list))
	}
	if err := chosen.Validate(); err != nil {
		return instance{}, fmt.Errorf("read the image index: %q: %w", chosen, err)
	}
	return instance{image.UnparsedInstance(s.src, &chosen), chosen, named.Encoded()}, nil
}

// mostLayers is far above what builders make (127), and far below what fits
// into a manifest.
const mostLayers = 1000

// largest is what the library reads of a manifest or a configuration.
const largest = 4 << 20

// config returns the configuration that a manifest names: stored, if it is
// that one.
func (s *Source) config(ctx context.Context, info types.BlobInfo, stored []byte) ([]byte, error) {
	if err := info.Digest.Validate(); err != nil {
		return nil, fmt.Errorf("%q: %w", info.Digest, err)
	}
	if stored != nil && info.Digest.Algorithm().FromBytes(stored) == info.Digest {
		return stored, nil
	}
	if info.Size < 0 || info.Size > largest {
		return nil, fmt.Errorf("%s: impossible size %d", info.Digest, info.Size)
	}
	body, _, err := s.src.GetBlob(ctx, info, none.NoCache)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(Verify(body, "blob", info.Digest, info.Size))
}

func (s *Source) layers(ctx context.Context, parsed manifest.Manifest, raw []byte) ([]Layer, error) {
	var config imgspec.Image
	if err := json.Unmarshal(raw, &config); err != nil {
		return nil, fmt.Errorf("read the image configuration: %w", err)
	}
	if err := s.checkPlatform(config.OS, config.Architecture); err != nil {
		return nil, err
	}
	var infos []types.BlobInfo
	for _, described := range parsed.LayerInfos() {
		infos = append(infos, described.BlobInfo)
	}
	if other, err := s.src.LayerInfosForCopy(ctx, nil); err != nil {
		return nil, fmt.Errorf("list the layers: %w", err)
	} else if other != nil {
		infos = other
	}
	if len(infos) > mostLayers {
		return nil, fmt.Errorf("the manifest has %d layers, more than %d", len(infos), mostLayers)
	}
	diffIDs := config.RootFS.DiffIDs
	if config.RootFS.Type != "layers" || len(infos) != len(diffIDs) {
		return nil, fmt.Errorf("the manifest has %d layers, the configuration %d diff_ids of type %q",
			len(infos), len(diffIDs), config.RootFS.Type)
	}
	layers, total := make([]Layer, len(infos)), int64(0)
	for i, info := range infos {
		for _, d := range []digest.Digest{info.Digest, diffIDs[i]} {
			if d.Validate() != nil || d.Algorithm() != digest.SHA256 {
				return nil, fmt.Errorf("layer %d: digest %q is not a sha256 digest", i+1, d)
			}
		}
		if total += info.Size; info.Size < 0 || total < 0 {
			return nil, fmt.Errorf("layer %d: impossible size %d", i+1, info.Size)
		}
		if err := checkLayerType(info.MediaType); err != nil {
			return nil, fmt.Errorf("layer %s: %w", info.Digest, err)
		}
		info.URLs = nil // the image does not tell us where else to connect to
		layers[i] = Layer{Digest: info.Digest, Size: info.Size, DiffID: diffIDs[i], info: info}
	}
	return layers, nil
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
