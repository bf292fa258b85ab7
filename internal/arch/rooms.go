package arch

import "strings"

// floor is a height in the house. A package may import only from floors below
// its own, and from its own floor where that floor allows it.
type floor int

const (
	protocolFloor floor = iota + 1
	vocabularyFloor
	foundationFloor
	missionFloor
	cityFloor
	webFloor
	appFloor
	commandFloor
)

// words describes each floor as the design does, for the sentences of Check.
var words = map[floor]string{
	protocolFloor:   "protocol",
	vocabularyFloor: "event, place and clock",
	foundationFloor: "bus, store, audit, auth and seal",
	missionFloor:    "the mission packages",
	cityFloor:       "the simulated city, which knows what missions are told",
	webFloor:        "web",
	appFloor:        "app and cli",
	commandFloor:    "cmd",
}

// floors places every room of internal. A sub-package lives where its room does.
var floors = map[string]floor{
	"event": vocabularyFloor,
	"place": vocabularyFloor,
	"clock": vocabularyFloor,

	"bus":   foundationFloor,
	"store": foundationFloor,
	"audit": foundationFloor,
	"auth":  foundationFloor,
	"seal":  foundationFloor,

	"sense":     missionFloor,
	"detect":    missionFloor,
	"incident":  missionFloor,
	"risk":      missionFloor,
	"evidence":  missionFloor,
	"road":      missionFloor,
	"index":     missionFloor,
	"report":    missionFloor,
	"apps":      missionFloor,
	"exercise":  missionFloor,
	"challenge": missionFloor,
	"learn":     missionFloor,
	"assure":    missionFloor,

	"city": cityFloor,

	"web": webFloor,

	"app": appFloor,
	"cli": appFloor,
}

// room is where a package lives: its floor, and the name of the room on it.
type room struct {
	floor floor
	name  string
}

// roomOf finds the room of a package from its path within the module
// ("internal/detect/network"). ok is false for a path the design has no place for.
func roomOf(path string) (r room, ok bool) {
	top, rest, _ := strings.Cut(path, "/")
	switch top {
	case "protocol":
		return room{protocolFloor, "protocol"}, true
	case "rules": // detection rules as data, embedded for whoever reads them
		return room{protocolFloor, "rules"}, true
	case "cmd":
		return room{commandFloor, "cmd"}, true
	case "internal":
		name, _, _ := strings.Cut(rest, "/")
		f, known := floors[name]
		return room{f, name}, known
	default:
		return room{}, false
	}
}
