module syscontainer/test/libostree

go 1.26.0

require github.com/ostreedev/ostree-go v0.0.0-20210805093236-719684c64e4f
