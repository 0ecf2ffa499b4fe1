package layer

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
)

// Limits bound what one layer may cost, or several with the same Account. Zero
// fields have their default, which LimitNames tells, and describes.
type Limits struct {
	Entries    int64 // entries, and directories without an entry
	PathLength int64 // bytes of a name, never more than 4095
	Depth      int64 // components of a name, never more than 2048
	PAXSize    int64 // bytes of all PAX records of an entry, never more than 1 MiB
	XattrSize  int64 // bytes of one extended attribute, never more than 64 KiB
	XattrTotal int64 // bytes of all extended attributes of an entry
	Metadata   int64 // bytes of memory for names, targets and attributes
	FileSize   int64 // bytes of one file
	TotalSize  int64 // bytes of all files together, as they are declared
	Ratio      int64 // uncompressed bytes for each one transferred
	RatioFrom  int64 // uncompressed bytes that may have any ratio

	// Account, if not nil, is shared by the layers of an image: Entries,
	// Metadata and TotalSize are then for all of them together. Without it a
	// thousand small blobs may take a thousand times the memory.
	Account *Account

	// Transferred, if not nil, tells how many bytes of the layer have been
	// received. It is called while others read. Without it there is no Ratio.
	Transferred func() int64

	// Admit, if not nil, is asked before each file, with its declared size.
	// An error refuses the layer, for want of space. Reads at the same time
	// call it at the same time.
	Admit func(size int64) error
}

// limits is all there is to know about them, in the order of the manual.
var limits = []struct {
	LimitName
	field    func(*Limits) *int64
	standard int64
	most     int64
}{
	{LimitName{Name: "Entries", Text: "Entries of all layers of an image, and directories that have none."},
		func(l *Limits) *int64 { return &l.Entries }, 1_000_000, math.MaxInt32},
	{LimitName{Name: "PathLength", Text: "Bytes of a name, as far as the kernel allows."},
		func(l *Limits) *int64 { return &l.PathLength }, maxPath, maxPath},
	{LimitName{Name: "Depth", Text: "Components of a name."},
		func(l *Limits) *int64 { return &l.Depth }, 255, maxDepth},
	{LimitName{Name: "PAXSize", Text: "Bytes of the extended header of an entry."},
		func(l *Limits) *int64 { return &l.PAXSize }, 1 << 20, 1 << 20},
	{LimitName{Name: "XattrSize", Text: "Bytes of one extended attribute, as far as the kernel allows."},
		func(l *Limits) *int64 { return &l.XattrSize }, 64 << 10, 64 << 10},
	{LimitName{Name: "XattrTotal", Text: "Bytes of all extended attributes of an entry, with their names."},
		func(l *Limits) *int64 { return &l.XattrTotal }, 256 << 10, 1 << 20},
	{LimitName{Name: "Metadata", Text: "Bytes of memory for the names, links and attributes of an image."},
		func(l *Limits) *int64 { return &l.Metadata }, 256 << 20, math.MaxInt64},
	{LimitName{Name: "FileSize", Text: "Bytes of one file."},
		func(l *Limits) *int64 { return &l.FileSize }, 64 << 30, math.MaxInt64},
	{LimitName{Name: "TotalSize", Text: "Bytes of all files of all layers of an image."},
		func(l *Limits) *int64 { return &l.TotalSize }, 256 << 30, 1 << 60},
	{LimitName{Name: "Ratio", Text: "Bytes that may be unpacked for each byte transferred, once RatioFrom is reached."},
		func(l *Limits) *int64 { return &l.Ratio }, 1000, 1 << 30},
	{LimitName{Name: "RatioFrom", Text: "Bytes that may be unpacked whatever was transferred."},
		func(l *Limits) *int64 { return &l.RatioFrom }, 1 << 30, math.MaxInt64},
}

// Account is what layers have cost so far. The zero value is ready to use, by
// several reads at the same time. A read that fails takes back what it cost.
type Account struct{ entries, metadata, size atomic.Int64 }

func (a *Account) add(entries, metadata, size int64) (int64, int64, int64) {
	return a.entries.Add(entries), a.metadata.Add(metadata), a.size.Add(size)
}

const (
	nodeCost    = 256      // rough memory of a node beside its strings
	maxTrailing = 64 << 20 // bytes behind the end of an archive; tar(1) writes 10 KiB at most
	maxHeaders  = 4 << 30  // bytes of a stream that are no content: headers, padding, what is skipped
	maxTarget   = 4095     // bytes of a symbolic link's target
	maxDepth    = 2048     // components that fit into maxPath
)

// LimitName describes a limit as a settings file has it.
type LimitName struct {
	Name    string
	Default string // as Set takes it
	Text    string // a sentence
}

// LimitNames are all limits that Set knows, in the order of the manual.
func LimitNames() []LimitName {
	var names []LimitName
	for _, l := range limits {
		l.Default = formatSize(l.standard)
		names = append(names, l.LimitName)
	}
	return names
}

// Set sets the limit of that name. The value is at least 1 and in the form of
// ParseSize.
func (l *Limits) Set(name, value string) error {
	for _, known := range limits {
		if known.Name != name {
			continue
		}
		n, err := ParseSize(value)
		if err != nil {
			return err
		}
		if n < 1 || n > known.most {
			return fmt.Errorf("must be 1 to %s", formatSize(known.most))
		}
		*known.field(l) = n
		return nil
	}
	return fmt.Errorf("there is no limit %q", name)
}

var errSize = errors.New("must be a number such as 65536, 64K, 10M, 2G or 1T")

// ParseSize reads a number that may be followed by K, M, G or T, powers of
// 1024.
func ParseSize(text string) (int64, error) {
	shift := 0
	if i := strings.IndexAny(text, "KMGT"); i >= 0 && i == len(text)-1 {
		shift = 10 * (1 + strings.IndexByte("KMGT", text[i]))
		text = text[:i]
	}
	n, err := strconv.ParseUint(text, 10, 63)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, errSize
	}
	return int64(n) << shift, nil
}

func formatSize(n int64) string {
	unit := ""
	for _, next := range []string{"K", "M", "G", "T"} {
		if n == 0 || n%1024 != 0 {
			break
		}
		n, unit = n/1024, next
	}
	return strconv.FormatInt(n, 10) + unit
}

func (l Limits) withDefaults() Limits {
	for _, known := range limits {
		field := known.field(&l)
		if *field == 0 {
			*field = known.standard
		}
		*field = min(*field, known.most)
	}
	if l.Account == nil {
		l.Account = new(Account)
	}
	return l
}
