package layer

import (
	"archive/tar"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
)

// layers makes layers of bytes, four for each entry. Few names make many
// collisions. What umoci is known to do otherwise is left out if tame is true.
func layers(data []byte, tame bool) [][]entry {
	all := [][]entry{nil}
	for ; len(data) >= 4 && len(all) <= 4; data = data[4:] {
		op, path, other, how := data[0], pathOf(data[1]), pathOf(data[2]), data[3]
		var e entry
		switch op % 16 {
		case 0, 1:
			e = dir(path, int64(how)<<4)
		case 2, 3, 4, 5:
			e = file(path, int64(how)<<4, fmt.Sprint("content ", data[2]))
		case 6:
			e = symlink(path, []string{other, "/" + other, "../../" + other}[how%3])
		case 7, 8:
			e = hardlink(path, other)
		case 9, 10:
			parent, base := cut(path)
			e = file(parent+".wh."+base, 0o644, "")
		case 11:
			parent, _ := cut(path)
			e = file(parent+".wh..wh..opq", 0o600, "")
		case 12:
			if e = special(tar.TypeFifo, path, 0, 0); how%3 > 0 {
				e = special([]byte{tar.TypeChar, tar.TypeBlock}[how%3-1], path, int64(data[2]), int64(how))
			}
		case 13:
			if len(all[len(all)-1]) > 0 {
				all = append(all, nil)
			}
			continue
		case 14:
			if e = file(path, 0o6755, "").xattr("security.selinux", "x", "trusted.overlay.opaque", "y"); tame {
				continue
			}
		case 15:
			if e = file([]string{"../", ".wh../", "./", "//", "\xff/", ".wh.x/", ".wh..wh.plnk/"}[how%7]+path, 0o644, ""); tame {
				continue
			}
		}
		if how&1 != 0 {
			e = e.owner(int(data[2]), int(how))
		}
		if t := e.Typeflag; how&6 == 6 && e.PAXRecords == nil && (t == tar.TypeReg || t == tar.TypeDir) {
			e = e.xattr("user.how", string(data[2:4])+"\x00", "trusted.t", "x")
		}
		all[len(all)-1] = append(all[len(all)-1], e)
	}
	return all
}

// pathOf makes one to three components.
func pathOf(b byte) string {
	const names = "abcd"
	path := names[b&3 : b&3+1]
	if b&0xc0 != 0 {
		path += "/" + names[b>>2&3:b>>2&3+1]
	}
	if b&0xc0 == 0xc0 {
		path += "/" + names[b>>4&3:b>>4&3+1]
	}
	return path
}

func cut(path string) (parent, base string) {
	i := strings.LastIndexByte(path, '/') + 1
	return path[:i], path[i:]
}

// random is the same for the same seed.
func random(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return data
}

// How often a random test runs.
func rounds(short, long int) uint64 {
	if os.Getenv("SYSCONTAINER_TEST_LONG") == "1" {
		return uint64(long)
	}
	return uint64(short)
}
