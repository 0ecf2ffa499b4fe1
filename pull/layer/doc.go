// Package layer reads the layers of container images and merges them in
// memory, as image-spec's layer.md defines, without ever giving a name from a
// layer to a file system.
//
// Read turns one tar stream into a Tree; what files contain goes to a Sink as
// it comes. Merge applies trees on top of each other, whiteouts included, and
// returns the tree an image consists of. Decompress stands before Read. Split
// and Rejoin let a store keep a tree, so that a layer is read once.
//
// # What is accepted
//
// A layer is hostile until proven otherwise. Names are split at slashes; empty
// and "." components vanish, so absolute names become relative. A component
// "..", one that is not UTF-8, contains NUL or is longer than 255 bytes
// refuses the layer. Nothing is ever looked up through a symbolic link: one
// that stands where a directory is needed is replaced by a directory. Hard
// links may lead to any file of this layer or of those below.
//
// Within a layer the later entry wins. A directory without an entry of its own
// keeps the metadata it has in the layers below. Whiteouts hide what is below
// their layer only.
//
// Every dialect of tar that archive/tar reads is read: ustar and older, PAX, GNU
// with long names, base-256 numbers and all forms of sparse files. What stands
// behind the end of an archive is read and dropped: the digest of the stream is
// what says that a layer is whole.
//
// Limits bound memory, and what a small blob can unpack to.
//
// # What is lost
//
// Times are dropped. Devices and fifos are reported by Merge and not part of
// its tree; EncodeSpecials makes a note of them, from which fifos can be made
// again. Extended attributes other than user.*, trusted.*,
// security.capability and POSIX ACLs are dropped and counted, and so are
// overlayfs' own, which a mount would obey.
package layer
