package layer

// Limits bound what one layer may cost. Zero fields have the default.
type Limits struct {
	Entries   int   // entries, and each directory that is made; 1,000,000
	Path      int   // bytes of a name; 4095
	Depth     int   // components of a name; 255
	Xattr     int   // bytes of one extended attribute; 65536, the kernel's limit
	Metadata  int64 // bytes of memory for names, targets and attributes; 256 MiB
	FileSize  int64 // bytes of one file; 64 GiB
	TotalSize int64 // bytes of all files together; 256 GiB

	// Admit, if not nil, is asked before each file, with its declared size.
	// An error refuses the layer: for want of space, or because so small a
	// blob cannot honestly hold so much. Reads at the same time call it at the
	// same time.
	Admit func(size int64) error
}

func (l Limits) withDefaults() Limits {
	for _, d := range []struct {
		limit *int
		value int
	}{{&l.Entries, 1_000_000}, {&l.Path, 4095}, {&l.Depth, 255}, {&l.Xattr, 64 << 10}} {
		if *d.limit == 0 {
			*d.limit = d.value
		}
	}
	for _, d := range []struct {
		limit *int64
		value int64
	}{{&l.Metadata, 256 << 20}, {&l.FileSize, 64 << 30}, {&l.TotalSize, 256 << 30}} {
		if *d.limit == 0 {
			*d.limit = d.value
		}
	}
	return l
}

const (
	nodeCost    = 256      // rough memory of a node beside its strings
	maxTrailing = 64 << 20 // bytes behind the end of an archive; tar(1) writes 10 KiB at most
	maxTarget   = 4095     // bytes of a symbolic link's target
)
