package atomic

import (
	"reflect"
	"strings"
)

// exact is a JSON value without the members that type t does not have by exactly that name. Decoding takes a name in any
// case for its own, and so do some runtimes: what was taken away as hooks would come back as Hooks.
func exact(value any, t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := value.(type) {
	case map[string]any:
		switch t.Kind() {
		case reflect.Map:
			for name, member := range v {
				v[name] = exact(member, t.Elem())
			}
		case reflect.Struct:
			fields := make(map[string]reflect.Type, t.NumField())
			for i := range t.NumField() {
				name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
				fields[name] = t.Field(i).Type
			}
			for name, member := range v {
				if field, known := fields[name]; known {
					v[name] = exact(member, field)
				} else {
					delete(v, name)
				}
			}
		}
	case []any:
		if t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
			for i := range v {
				v[i] = exact(v[i], t.Elem())
			}
		}
	}
	return value
}
