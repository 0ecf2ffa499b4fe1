package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	rspec "github.com/opencontainers/runtime-spec/specs-go"

	"syscontainer/pull/store"
	"syscontainer/units"
)

// prepare is ExecStartPre=: image present, bundle written. What an unclean stop of
// the same service left is cleared first. With the image in the store and nothing to
// make on the host it executes nothing.
func prepare(o options) error {
	if !o.start {
		if err := endBySignal(o.signal); err != nil {
			return err
		}
	}
	c, err := readUnit(o)
	if err != nil {
		return err
	}
	meanwhile := lookAhead(o, c)
	runtime, err := findRuntime(c.Runtime) // before anything is fetched for it
	if err != nil {
		return err
	}
	unit, err := unitCgroup()
	if err != nil {
		return err
	}
	b := bundleOf(o.root, o.name)
	l := launchOf(o, c, runtime)
	if before, ok := b.launch(); ok && before.ID != l.ID {
		if err := removeState(o, before, unit); err != nil {
			return err
		}
	}
	if err := removeState(o, l, unit); err != nil {
		return err
	}
	if err := disconnect(o, b); err != nil {
		return fmt.Errorf("clear the network of an earlier start: %w", err)
	}
	bridge, err := lookBridge(o, c) // before anything is fetched for it, too
	if err != nil {
		return err
	}
	if err := b.remove(); err != nil {
		return fmt.Errorf("clear the bundle of an earlier start: %w", err)
	}
	g, err := findGround(o, c)
	if err != nil {
		return err
	}
	if err := exportFiles(o, c, g); err != nil {
		return errors.Join(err, missingValues(o, c, g))
	}
	if !c.Payload {
		return nil
	}
	g.bridge, g.ahead = bridge, meanwhile
	if err := b.create(); err != nil {
		return fmt.Errorf("make the bundle: %w", err)
	}
	if err := b.record(l); err != nil {
		return err
	}
	if err := fill(b, o, c, g, unit); err != nil {
		return err
	}
	if c.StopSignal == "" {
		signal := g.config.Config.StopSignal
		if c.Systemd {
			signal = systemdStopSignal
		}
		if err := b.recordStopSignal(o, signal); err != nil {
			return err
		}
	}
	if g.link != "" {
		tellJournal(o, priorityInfo, eventStart, c.Image, "starting "+c.Image+", sha256:"+filepath.Base(g.link))
	}
	return nil
}

func readUnit(o options) (*units.Container, error) {
	f, err := os.Open(o.unit)
	if err != nil {
		return nil, fmt.Errorf("read the unit: %w", err)
	}
	defer f.Close()
	return units.ReadGenerated(f, o.name+".service", machineSpecifier)
}

// ground is what a container stands on: an image, or a directory of the host.
type ground struct {
	rootfs string // without links on its way: runtimes refuse a root that is reached through one
	link   string // to the image's directory; "": there is none
	config *imageConfig
	bridge *bridgePlan // nil: it is on none
	ahead  *ahead
}

func findGround(o options, c *units.Container) (g ground, err error) {
	if c.Rootfs != "" {
		g.config = new(imageConfig)
		if g.rootfs, err = filepath.EvalSymlinks(c.Rootfs); err != nil {
			return g, fmt.Errorf("Rootfs=%s: %w", c.Rootfs, cause(err))
		}
		if g.rootfs == "/" {
			return g, fmt.Errorf("Rootfs=%s: a container cannot have the machine's own root", c.Rootfs)
		}
		return g, nil
	}
	image, err := findImage(o, c)
	if err != nil {
		return g, err
	}
	return imageGround(image)
}

func imageGround(image store.Image) (g ground, err error) {
	g.link = image.Dir
	document, err := image.Config()
	if err != nil {
		return g, fmt.Errorf("read the image's configuration: %w", err)
	}
	if g.config, err = parseImageConfig(document); err != nil {
		return g, err
	}
	g.rootfs, err = filepath.EvalSymlinks(image.Rootfs()) // /var may be a link
	return g, err
}

// fill writes the bundle.
func fill(b bundle, o options, c *units.Container, g ground, unit string) error {
	if g.link != "" {
		if err := os.Symlink(g.link, b.file(store.BundleLink)); err != nil {
			return err
		}
	}
	t, err := openTree(g.rootfs)
	if err != nil {
		return err
	}
	defer t.close()
	template, err := findTemplate(b, o, c, g, t)
	if err != nil {
		return err
	}
	c = template.over(c, g.config)
	name := c.User
	if name == "" {
		name = g.config.Config.User
	}
	seen, err := t.asSeen(o, c)
	if err != nil {
		return err
	}
	if seen != t {
		defer seen.close()
	}
	u, err := lookupUser(seen, name, c.GroupAdd)
	if err != nil {
		return err
	}
	template.addGroups(c, &u)
	if err := chooseUsers(o, c, u); err != nil {
		return err
	}
	if err := template.makeFiles(o, c, u, seen); err != nil {
		return err
	}
	if err := makeFiles(o.name, c, u); err != nil {
		return err
	}
	given, err := showDirectories(c)
	if err != nil {
		return err
	}
	h, err := lookAround(o, c, u, t)
	if err == nil {
		err = g.ahead.seccomp(c, &h)
	}
	if err != nil {
		return err
	}
	if err := template.lookSources(o, c, seen, &h); err != nil {
		return err
	}
	if err := nameFiles(b, c, &h, g.bridge); err != nil {
		return err
	}
	if err := lookVolumes(o, c, g.config, t, u, &h); err != nil {
		return err
	}
	if err := lookSystemd(b, o, c, t, &h); err != nil {
		return err
	}
	if h.Credentials, err = showCredentials(b, c, u); err != nil {
		return err
	}
	plan := rootPlan{Lower: []string{g.rootfs}, Share: sharesMounts(c), Delegate: c.Systemd}
	if err := b.planShared(c, &plan, &h); err != nil {
		return err
	}
	h.Rootfs, h.Cgroup = b.rootfs(), unit
	s, err := spec(c, g.config, h)
	if err == nil {
		s, err = template.merge(c, s, h, seen)
	}
	if err != nil {
		return err
	}
	s.Process.Terminal = o.terminal
	if err := settleMounts(seen, s); err != nil {
		return err
	}
	if err := plan.mapVolumes(b, c, s, h, given); err != nil {
		return err
	}
	document, err := encodeSpec(s)
	if err != nil {
		return fmt.Errorf("write %s: %w", b.file("config.json"), err)
	}
	if len(c.ConfigPatches) > 0 {
		if document, s, err = patch(document, s, c.ConfigPatches); err != nil {
			return err
		}
		if document, err = settlePatched(b, document, s, seen); err != nil {
			return err
		}
	}
	if err := plan.layers(b, o, c, t, s, h); err != nil {
		return err
	}
	if plan.Map != nil {
		// The container's root is not the machine's, and comes from here.
		if err := os.Chmod(string(b), 0o711); err != nil {
			return err
		}
	}
	return b.write(plan, document)
}

// layers decides what lies over and under the root.
func (p *rootPlan) layers(b bundle, o options, c *units.Container, t *tree, s *rspec.Spec, h host) error {
	p.Label = s.Linux.MountLabel
	var missing []target
	if volatileRoot(c) || c.ReadOnly { // what else was written may have put it right
		var err error
		missing, err = missingTargets(t, s, func(path string) bool {
			if in, known := h.Sources[path]; known {
				return !in.Dir
			}
			info, err := os.Stat(path)
			return err != nil || !info.IsDir()
		})
		if err != nil {
			return err
		}
	}
	switch {
	case volatileRoot(c):
		dir := b.volatile()
		if err := os.Mkdir(dir, 0o700); err != nil {
			return err
		}
		p.Upper, p.Work = filepath.Join(dir, "upper"), filepath.Join(dir, "work")
		p.Volatile = p.Lower[0]
	case !c.ReadOnly && c.Rootfs != "":
		p.Direct, p.Label = true, ""
	case !c.ReadOnly:
		dir := writtenDir(o)
		p.Upper, p.Work = filepath.Join(dir, "upper"), filepath.Join(dir, "work")
		if err := sameMaps(dir, p.Map); err != nil {
			return err
		}
		if err := makeUpper(t, p.Upper, p.Work, p.Map); err != nil {
			return fmt.Errorf("make the writable layer: %w", err)
		}
	default:
		if len(missing) > 0 || p.Label != "" { // a context is an overlay's to give
			if err := makeTargets(t, b.file("targets"), missing, p.Map); err != nil {
				return fmt.Errorf("make mount targets: %w", err)
			}
			p.Lower = slices.Insert(p.Lower, 0, b.file("targets"))
		}
	}
	if p.Map != nil {
		at, err := p.mapped(b, mappedMount{From: p.Lower[len(p.Lower)-1]}, true)
		if err != nil {
			return err
		}
		p.Lower[len(p.Lower)-1] = at
	}
	return nil
}

// mapped plans a mount with other owners and returns where it will be.
func (p *rootPlan) mapped(b bundle, m mappedMount, dir bool) (at string, err error) {
	at = filepath.Join(b.file("mapped"), strconv.Itoa(len(p.Mapped)))
	if err = os.MkdirAll(b.file("mapped"), 0o755); err != nil {
		return "", err
	}
	if dir {
		err = os.Mkdir(at, 0o755)
	} else {
		err = os.WriteFile(at, nil, 0o644)
	}
	m.At = at
	p.Mapped = append(p.Mapped, m)
	return at, err
}

// mapVolumes does the runtime's work with the options idmap and ridmap: old ones do not
// know them, and all take a directory that is mounted so already. The sources given are
// shown as the payload's own.
func (p *rootPlan) mapVolumes(b bundle, c *units.Container, s *rspec.Spec, h host, given []string) error {
	if mapsIDs(c) {
		p.Map = &idMaps{c.UIDMap, c.GIDMap}
	}
	if len(given) > 0 {
		uid, known := hostID(c.UIDMap, h.User.UID)
		gid, also := hostID(c.GIDMap, h.User.GID)
		if !known || !also {
			return fmt.Errorf("Directories=: user %d or group %d is not in UIDMap= and GIDMap=", h.User.UID, h.User.GID)
		}
		p.Given = ownedBy(uid, gid)
	}
	for i := range s.Mounts {
		m := &s.Mounts[i]
		below := slices.Contains(m.Options, "ridmap")
		asked := below || slices.Contains(m.Options, "idmap")
		give := p.Given != nil && !asked && slices.Contains(given, m.Source)
		if m.Type != "bind" || !asked && !give {
			continue
		}
		if asked && p.Map == nil {
			return withHint(fmt.Errorf("mount %s on %s: option idmap has no map to use", m.Source, m.Destination), "set UIDMap= and GIDMap=")
		}
		m.Options = slices.DeleteFunc(m.Options, func(o string) bool { return o == "idmap" || o == "ridmap" })
		source := h.Sources[m.Source]
		at, err := p.mapped(b, mappedMount{From: m.Source, Below: below, Given: give}, source.Dir)
		if err != nil {
			return err
		}
		m.Source, h.Sources[at] = at, source
	}
	return nil
}
