package units

// said are the keys of [Container] that have a value, by their places in keys.
type said [2]uint64

var _ [len(said{})*64 - len(keys)]struct{} // all have a place

func (s *said) add(key int) { s[key/64] |= 1 << (key % 64) }

// Sets tells whether the unit gives one of the keys of [Container] a value, be it the default one: what it does not say is
// for a template of the image to say.
func (c *Container) Sets(names ...string) bool {
	for _, name := range names {
		if key := keyIndex(name); key >= 0 && c.said[key/64]&(1<<(key%64)) != 0 {
			return true
		}
	}
	return false
}
