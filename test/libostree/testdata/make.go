//go:build ignore

// make writes a repository and one checkout of its only ref, "made", with the
// package that is to be judged.
//
//	go run make.go REPO CHECKOUT
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"syscontainer/pull/ostree"
)

func main() {
	log.SetFlags(0)
	repo, err := ostree.OpenOrCreate(os.Args[1])
	check(err)
	txn, err := repo.Begin(context.Background())
	check(err)
	defer txn.Abort()
	file := func(meta ostree.Meta, content string) ostree.Checksum {
		sum, err := txn.WriteFile(meta, int64(len(content)), strings.NewReader(content))
		check(err)
		return sum
	}
	link, err := txn.WriteSymlink(ostree.Meta{UID: 5}, "../run")
	check(err)
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	wide := map[string]ostree.Checksum{}
	for i := range 2000 { // offsets of four bytes
		wide[fmt.Sprintf("%0200d", i)] = file(ostree.Meta{Mode: 0o644}, fmt.Sprint(i%7))
	}
	tree, meta, err := txn.WriteTree(&ostree.Tree{
		Meta: ostree.Meta{Mode: 0o755},
		Files: map[string]ostree.Checksum{
			"run":   file(ostree.Meta{UID: 1000, GID: 8, Mode: 0o4755, Xattrs: map[string]string{"user.a": "1"}}, "#!/bin/sh\n"),
			"ping":  file(ostree.Meta{Mode: 0o755, Xattrs: map[string]string{"security.capability": capability}}, "x"),
			"large": file(ostree.Meta{Mode: 0o600}, strings.Repeat("large", 1<<20)),
			"empty": file(ostree.Meta{Mode: 0o644}, ""),
		},
		Dirs: map[string]*ostree.Tree{
			"wide":  {Meta: ostree.Meta{UID: 7, Mode: 0o1777, Xattrs: map[string]string{"trusted.t": "v"}}, Files: wide},
			"ä dir": {Meta: ostree.Meta{Mode: 0o700}, Files: map[string]ostree.Checksum{"link": link}},
		},
	})
	check(err)
	commit, err := txn.WriteCommit(ostree.Commit{
		Metadata: ostree.StringMetadata(map[string]string{"version": "1.0"}),
		Subject:  "written without libostree", Timestamp: 1700000000, Tree: tree, Meta: meta,
	})
	check(err)
	check(txn.Publish(map[string]ostree.Checksum{"made": commit}))
	parent, err := os.Open(filepath.Dir(os.Args[2]))
	check(err)
	check(repo.Checkout(context.Background(), commit, parent, filepath.Base(os.Args[2]), ostree.CheckoutOptions{}))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
