// Package ostree reads and writes OSTree repositories of mode "bare", byte for
// byte as libostree does, without libostree, cgo or child processes.
//
// A repository holds objects named by SHA-256. In mode bare a regular file or
// a symbolic link is stored as itself, with its owner, mode and extended
// attributes on the inode, and a checkout is a tree of hard links to them: it
// costs no space, and writing to it changes the object for everybody. Mount
// checkouts read-only.
//
//	repo, err := ostree.OpenOrCreate("/srv/repo")
//	txn, err := repo.Begin(ctx)
//	defer txn.Abort()
//	id, err := txn.WriteFile(ostree.Meta{Mode: 0o755}, size, content)
//	tree, meta, err := txn.WriteTree(&ostree.Tree{
//		Meta:  ostree.Meta{Mode: 0o755},
//		Files: map[string]ostree.Checksum{"hello": id},
//	})
//	commit, err := txn.WriteCommit(ostree.Commit{Subject: "greetings", Tree: tree, Meta: meta})
//	err = txn.Publish(map[string]ostree.Checksum{"greetings": commit})
//	err = repo.Checkout(ctx, commit, parent, "hello-1", ostree.CheckoutOptions{})
//
// # Promises
//
// A transaction publishes all or nothing, and a prune removes first the refs,
// then the commits, then the rest: after a kill or a power cut at any point,
// every ref names a commit whose objects are all there, and a commit object
// implies its trees, which imply their files. What a dead transaction leaves
// behind is removed when the next one begins.
//
// Several processes may use one repository at once, libostree among them:
// transactions, checkouts and Verify hold libostree's lock shared, so that a
// prune waits for them. A prune holds it alone.
//
// Damage is never taken for absence: a prune removes nothing while a ref, or a
// directory of what is to stay, cannot be read.
//
// Objects read are checked: metadata against its checksum and its normal form,
// names against leaving their directory. A file object is rehashed by Verify
// only. What Verify finds, a transaction can Replace; each object is the old
// one or the new one at any instant.
//
// Memory does not grow with the size of files, and by some 40 bytes for each
// file of a repository that is pruned.
//
// # Limits
//
// Modes other than bare and repositories with core.locking=false are refused.
// Devices, fifos and sockets cannot be represented. Parent commits, static
// deltas, signatures and detached metadata are left as they are found, except
// that a prune removes the detached metadata of the commits it removes.
//
// A parent repository (core.parent, up to 8 in a row) is read for what is not
// here: objects, and refs by name. Nothing is written to it and nothing pruned
// from it, and it is not locked: who prunes it must know of its children. What
// a transaction writes is stored whole, also where a parent has it; borrow
// from the parent, see OpenOptions, to have it once only.
//
// An extended attribute that the file system adds by itself to each new file,
// as SELinux labels are, is not part of what this package writes. Verify knows
// that; libostree's fsck reports such objects.
//
// Whether two files are one is up to the kernel: beyond its limit of links a
// checkout holds copies, and Borrow writes.
//
// Sources: ostree-repo(5) and libostree's ostree-core.h for the formats,
// glib's GVariant specification for the serialisation.
package ostree
