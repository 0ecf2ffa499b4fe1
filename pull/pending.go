package main

import (
	"context"
	"time"

	"syscontainer/pull/ostree"
)

type objectProblem struct {
	Path   string
	Object string
	Err    error
}

func repoVerify(ctx context.Context, repo *ostree.Repo, commits []ostree.Checksum, found func(commit ostree.Checksum, p objectProblem)) error {
	return nil
}
func txnReplace(txn *ostree.Txn, objects []string) {}
func refTimes(repo *ostree.Repo) (map[string]time.Time, error) {
	return nil, nil
}
