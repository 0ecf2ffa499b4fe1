package units

import "testing"

func TestIdentity(t *testing.T) {
	decodes(t, map[string]func(*Container){
		"User=app\nGroup=www-data":      func(c *Container) { c.User = "app:www-data" },
		"Group=1000\nUser=0":            func(c *Container) { c.User = "0:1000" },
		"User=a\nGroup=x\nGroup=":       func(c *Container) { c.User = "a" },
		"User=%p":                       func(c *Container) { c.User = "web" },
		"GroupAdd=audio 44\nGroupAdd=x": func(c *Container) { c.GroupAdd = []string{"audio", "44", "x"} },
		"GroupAdd=audio\nGroupAdd=":     func(c *Container) {},
		"UserNS=host":                   func(c *Container) {},
		"UserNS=auto":                   func(c *Container) { c.UserNSAuto = 65536 },
		"UserNS=auto:size=4294967294":   func(c *Container) { c.UserNSAuto = 4294967294 },
		"UserNS=auto\nUserNS=":          func(c *Container) {},
		"UserNS=auto\nUserNS=host":      func(c *Container) {},
		"UIDMap=0:100000:65536": func(c *Container) {
			c.UIDMap = []IDMap{{0, 100000, 65536}}
			c.GIDMap = c.UIDMap
		},
		"GIDMap=0:1:1 1:2\nGIDMap=2:9:5": func(c *Container) {
			c.GIDMap = []IDMap{{0, 1, 1}, {1, 2, 1}, {2, 9, 5}}
			c.UIDMap = c.GIDMap
		},
		"UIDMap=0:0:1\nGIDMap=0:5:4294967290": func(c *Container) {
			c.UIDMap, c.GIDMap = []IDMap{{0, 0, 1}}, []IDMap{{0, 5, 4294967290}}
		},
	})
	const ranges = "\nhint: the form is CONTAINER:HOST:SIZE, for example 0:100000:65536"
	const write = "\nhint: write the ranges themselves, for example UIDMap=0:100000:65536"
	const auto = "\nhint: write auto or auto:size=65536, or the ranges themselves, for example UIDMap=0:100000:65536"
	const size = "\nhint: write how many users and groups the container has, 1 to 4294967294"
	refuses(t, map[string]string{
		"Group=x":                       "web:3: Group= is set without User=\nhint: write User=USER:x",
		"User=a:b\nGroup=x":             "web:4: Group= is set, and User= names a group too\nhint: write one of them",
		"User=a b\nGroup=x":             "web:3: User=: \"a b\" is no user\nhint: the form is USER or USER:GROUP, each a name or a number",
		"User=a\nGroup=a b":             "web:4: Group=: \"a b\" is no group\nhint: write the name or the number of a group",
		"GroupAdd=keep-groups":          "web:3: GroupAdd=: \"keep-groups\" is not possible\nhint: name the groups: a service has none that could be kept",
		"GroupAdd=a 4294967295":         "web:3: GroupAdd=: \"4294967295\" is no group\nhint: write names or numbers of groups",
		"UIDMap=0":                      "web:3: UIDMap=: \"0\" is no range of users or groups" + ranges,
		"UIDMap=0:1:2:3":                "web:3: UIDMap=: \"0:1:2:3\" is no range of users or groups" + ranges,
		"UIDMap=0:-1:2":                 "web:3: UIDMap=: \"0:-1:2\" is no range of users or groups" + ranges,
		"UIDMap=0:0x1:2":                "web:3: UIDMap=: \"0:0x1:2\" is no range of users or groups" + ranges,
		"UIDMap=0::2":                   "web:3: UIDMap=: \"0::2\" is no range of users or groups" + ranges,
		"UIDMap=+1:2:3":                 "web:3: UIDMap=: \"+1:2:3\": podman's flags + and @ are not possible" + ranges,
		"UIDMap=1:@2:3":                 "web:3: UIDMap=: \"1:@2:3\": podman's flags + and @ are not possible" + ranges,
		"UIDMap=0:1:0":                  "web:3: UIDMap=: \"0:1:0\" is a range of nobody" + ranges,
		"UIDMap=1:0:4294967295":         "web:3: UIDMap=: \"1:0:4294967295\" is too large a range\nhint: numbers end at 4294967294",
		"UIDMap=0:5:10 9:100:1":         "web:3: UIDMap= ranges overlap in the container: 0 to 9, and 9 to 9",
		"GIDMap=0:5:10\nGIDMap=10:14:1": "web:4: GIDMap= ranges overlap on the host: 5 to 14, and 14 to 14",
		"UserNS=keep-id":                "web:3: UserNS=: \"keep-id\" is not possible" + auto,
		"UserNS=ns:/run/x":              "web:3: UserNS=: \"ns:/run/x\" is not possible" + auto,
		"UserNS=auto:gidmapping=0:1:2":  "web:3: UserNS=: \"auto:gidmapping=0:1:2\" is not possible" + auto,
		"UserNS=auto:size=":             "web:3: UserNS=: \"\" is no number of users" + size,
		"UserNS=auto:size=0":            "web:3: UserNS=: \"0\" is no number of users" + size,
		"UserNS=auto:size=4294967295":   "web:3: UserNS=: \"4294967295\" is no number of users" + size,
		"UserNS=auto:size=1,x=2":        "web:3: UserNS=: \"1,x=2\" is no number of users" + size,
		"UserNS=auto\nGIDMap=0:1:1":     "web:3: UserNS=auto chooses the users, and UIDMap= or GIDMap= says them\nhint: remove one of them",
		"UserNS=host\nUIDMap=0:1:1":     "web:3: UserNS=host and a map of users are both set\nhint: remove one of them",
		"SubUIDMap=x":                   "web:3: SubUIDMap= of Quadlet is not possible" + write,
		"RemapUid=1":                    "web:3: RemapUid= of Quadlet is not possible" + write,
	})
}
