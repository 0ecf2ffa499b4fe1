// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"os"
	"testing"

	"syscontainer/test/image"
)

// layerOf is the digest, without its algorithm, of an image's only layer.
func layerOf(t *testing.T, l *image.Layout, d image.Descriptor) string {
	t.Helper()
	b, err := os.ReadFile(l.Blob(d))
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct{ Layers []image.Descriptor }
	if err := json.Unmarshal(b, &manifest); err != nil || len(manifest.Layers) != 1 {
		t.Fatalf("manifest %s: %v, %d layers", d.Digest, err, len(manifest.Layers))
	}
	return manifest.Layers[0].Hex()
}
