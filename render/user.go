package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"syscontainer/pull/accounts"
)

// user is whom the payload runs as.
type user = accounts.User

// lookupUser finds "", "user" or "user:group" in the image's own /etc/passwd and
// /etc/group; either part may be a number. As in Docker and podman: no user means
// 0; a number without a line in /etc/passwd has group 0; supplementary groups
// apply only where no group is named. The groups in also are added, by name or number.
func lookupUser(t *tree, name string, also []string) (user, error) {
	passwd, err := accountsFile(t, "/etc/passwd")
	if err != nil {
		return user{}, err
	}
	group, err := accountsFile(t, "/etc/group")
	if err != nil {
		return user{}, err
	}
	u, err := accounts.Find(name, passwd, group)
	if err != nil {
		return u, err
	}
	for _, name := range also {
		gid, ok := accounts.Group(name, group)
		if !ok {
			return u, fmt.Errorf("GroupAdd=%s: there is no such group in the image's /etc/group", name)
		}
		if !slices.Contains(u.Groups, gid) {
			u.Groups = append(u.Groups, gid)
		}
	}
	return u, nil
}

// accountsFile reads a file that an image need not have.
func accountsFile(t *tree, name string) ([]byte, error) {
	data, err := t.readFile(name, accounts.MaxFile)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
