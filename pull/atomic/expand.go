package atomic

import (
	"errors"

	rspec "github.com/opencontainers/runtime-spec/specs-go"
)

// ConfigFile is how errors call the template of a runtime configuration.
const ConfigFile = "config.json.template"

// Configuration is the runtime configuration that an image brings, expanded and made to fit a machine; changes are those of
// Sanitise. nil: it brings none.
func (e *Exports) Configuration(values map[string]string, m Machine) (spec *rspec.Spec, changes []string, err error) {
	text := e.Config
	if text == nil {
		if e.ConfigTemplate == nil {
			return nil, nil, nil
		}
		expanded, err := Template{File: ConfigFile, Text: string(e.ConfigTemplate), JSON: true}.Expand(values)
		if err != nil {
			return nil, nil, err
		}
		text = []byte(expanded)
	}
	return Sanitise(text, m)
}

// CheckOthers expands all that an image brings beside its configuration and files for the host. The error has all errors.
func (e *Exports) CheckOthers(values map[string]string) error {
	var errs []error
	for _, t := range []Template{{File: ServiceFile, Text: string(e.Service)}, {File: "tmpfiles.template", Text: string(e.Tmpfiles)}} {
		_, err := t.Expand(values)
		errs = append(errs, err)
	}
	for _, r := range e.Manifest.Renames {
		_, err := (Template{File: "manifest.json", Text: r.To}).Expand(values)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
