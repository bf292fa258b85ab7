package dc09

// numberKind says what the number after a SIA code, or in the last field of a
// Contact ID event, counts.
type numberKind uint8

const (
	numberZone numberKind = iota
	numberUser
	numberArea
)

// SIACode is what DC-03 says about a two-letter event code.
type SIACode struct {
	Code      string
	Meaning   string
	Category  Category
	Qualifier Qualifier
	// RestoralOf is the code whose condition this one ends, or "".
	RestoralOf string

	number numberKind
}

// LookupSIA returns what is known about a two-letter code.
func LookupSIA(code string) (SIACode, bool) {
	c, ok := siaCodes[code]
	return c, ok
}

// siaCodes is filled once and never written again.
var siaCodes = makeSIACodes()

func makeSIACodes() map[string]SIACode {
	m := make(map[string]SIACode, 256)
	addSIAFamilies(m)
	for _, group := range [][]SIACode{siaAlarms, siaOpenings, siaAccess, siaFaults, siaSystem} {
		for _, c := range group {
			m[c.Code] = c
		}
	}
	return m
}

// addSIAFamilies adds the regular part of DC-03: for each kind of detector the
// same second letters mean the same thing.
func addSIAFamilies(m map[string]SIACode) {
	families := []struct {
		letter   string
		name     string
		category Category
	}{
		{"B", "Burglary", Burglary},
		{"F", "Fire", Fire},
		{"G", "Gas", Gas},
		{"H", "Hold-up", HoldUp},
		{"K", "Heat", Environment},
		{"M", "Medical", Medical},
		{"P", "Panic", Panic},
		{"Q", "Emergency", Emergency},
		{"S", "Sprinkler", Fire},
		{"T", "Tamper", Tamper},
		{"U", "Untyped zone", General},
		{"W", "Water", Water},
		{"Z", "Freeze", Environment},
	}
	for _, f := range families {
		trouble := Trouble
		if f.category == Tamper {
			trouble = Tamper // a fault of the tamper circuit is dealt with as a tamper
		}
		for _, c := range []SIACode{
			{Code: "A", Meaning: " alarm", Category: f.category, Qualifier: New},
			{Code: "B", Meaning: " bypass", Category: Bypass, Qualifier: New},
			{Code: "H", Meaning: " alarm restore", Category: f.category, Qualifier: Restore, RestoralOf: "A"},
			{Code: "J", Meaning: " trouble restore", Category: trouble, Qualifier: Restore, RestoralOf: "T"},
			{Code: "R", Meaning: " restoral", Category: f.category, Qualifier: Restore, RestoralOf: "A"},
			{Code: "S", Meaning: " supervisory", Category: trouble, Qualifier: New},
			{Code: "T", Meaning: " trouble", Category: trouble, Qualifier: New},
			{Code: "U", Meaning: " unbypass", Category: Bypass, Qualifier: Restore, RestoralOf: "B"},
		} {
			c.Code, c.Meaning = f.letter+c.Code, f.name+c.Meaning
			if c.RestoralOf != "" {
				c.RestoralOf = f.letter + c.RestoralOf
			}
			m[c.Code] = c
		}
	}
}

// siaAlarms are codes of the alarm families outside the pattern.
var siaAlarms = []SIACode{
	{"AA", "Alarm, panel substitution", Tamper, New, "", numberZone},
	{"BC", "Burglary cancel", Burglary, Cancel, "BA", numberUser},
	{"BD", "Swinger trouble", Trouble, New, "", numberZone},
	{"BE", "Swinger trouble restore", Trouble, Restore, "BD", numberZone},
	{"BG", "Unverified event, burglary", Burglary, New, "", numberZone},
	{"BM", "Burglary alarm, cross point", Burglary, New, "", numberZone},
	{"BV", "Burglary verified", VerifiedBurglary, New, "", numberZone},
	{"BX", "Burglary test", Test, Status, "", numberZone},
	{"BZ", "Missing supervision", Trouble, New, "", numberZone},
	{"EA", "Exit alarm", Burglary, New, "", numberZone},
	{"FC", "Fire cancel", Fire, Cancel, "FA", numberUser},
	{"FG", "Unverified event, fire", Fire, New, "", numberZone},
	{"FI", "Fire test begin", Test, Status, "", numberUser},
	{"FK", "Fire test end", Test, Status, "", numberUser},
	{"FL", "Fire alarm silenced", Fire, Status, "", numberUser},
	{"FM", "Fire alarm, cross point", Fire, New, "", numberZone},
	{"FX", "Fire test", Test, Status, "", numberZone},
	{"FY", "Missing fire trouble", Trouble, New, "", numberZone},
	{"FZ", "Missing fire supervision", Trouble, New, "", numberZone},
	{"GX", "Gas test", Test, Status, "", numberZone},
	{"HV", "Hold-up verified", VerifiedHoldUp, New, "", numberZone},
	{"NA", "No activity", Emergency, New, "", numberZone},
	{"NS", "Activity resumed", Emergency, Restore, "NA", numberZone},
	{"UX", "Untyped zone undefined alarm", General, New, "", numberZone},
	{"UY", "Untyped zone missing trouble", Trouble, New, "", numberZone},
	{"UZ", "Untyped zone missing alarm", General, New, "", numberZone},
}

// siaOpenings are settings and unsettings; most name the user.
var siaOpenings = []SIACode{
	{"AB", "Abort of an alarm by a user", Cancelled, Cancel, "", numberUser},
	{"CA", "Automatic closing", Close, New, "", numberArea},
	{"CD", "Closing delinquent", Close, Status, "", numberArea},
	{"CE", "Closing extended", Close, Status, "", numberUser},
	{"CF", "Forced closing", Close, New, "", numberUser},
	{"CG", "Area closed", Close, New, "", numberArea},
	{"CI", "Fail to close", Close, Status, "", numberArea},
	{"CJ", "Late close", Close, New, "", numberUser},
	{"CK", "Early close", Close, New, "", numberUser},
	{"CL", "Closing report", Close, New, "", numberUser},
	{"CP", "Automatic closing", Close, New, "", numberUser},
	{"CQ", "Remote closing", Close, New, "", numberUser},
	{"CR", "Recent closing", Close, Status, "", numberUser},
	{"CS", "Closing by keyswitch", Close, New, "", numberZone},
	{"CT", "Late to open", Open, Status, "", numberArea},
	{"CW", "Was force armed", Close, Status, "", numberArea},
	{"CZ", "Point closing", Close, New, "", numberZone},
	{"EE", "Exit error", Burglary, Status, "", numberUser},
	{"NF", "Forced perimeter arm", Close, New, "", numberUser},
	{"NL", "Perimeter armed", Close, New, "", numberUser},
	{"OA", "Automatic opening", Open, New, "", numberArea},
	{"OC", "Cancel report", Cancelled, Cancel, "", numberUser},
	{"OG", "Area opened", Open, New, "", numberArea},
	{"OH", "Early to open from alarm", Open, Status, "", numberUser},
	{"OI", "Fail to open", Open, Status, "", numberArea},
	{"OJ", "Late open", Open, New, "", numberUser},
	{"OK", "Early open", Open, New, "", numberUser},
	{"OL", "Late to open from alarm", Open, Status, "", numberUser},
	{"OP", "Opening report", Open, New, "", numberUser},
	{"OQ", "Remote opening", Open, New, "", numberUser},
	{"OR", "Disarm from alarm", Open, New, "", numberUser},
	{"OS", "Opening by keyswitch", Open, New, "", numberZone},
	{"OT", "Late to close", Close, Status, "", numberUser},
	{"OZ", "Point opening", Open, New, "", numberZone},
}

// siaAccess are door and card codes.
var siaAccess = []SIACode{
	{"DC", "Access closed", Access, Status, "", numberUser},
	{"DD", "Access denied", Access, Status, "", numberUser},
	{"DF", "Door forced", Access, New, "", numberZone},
	{"DG", "Access granted", Access, Status, "", numberUser},
	{"DK", "Access lockout", Access, Status, "", numberUser},
	{"DO", "Access open", Access, Status, "", numberUser},
	{"DR", "Door restoral", Access, Restore, "DF", numberZone},
	{"DS", "Door station", Access, Status, "", numberZone},
	{"DT", "Access trouble", Trouble, New, "", numberZone},
	{"DX", "Request to exit", Access, Status, "", numberZone},
	{"JP", "User on premises", Access, Status, "", numberUser},
}

// siaFaults are faults of panel, power, line and radio.
var siaFaults = []SIACode{
	{"AR", "AC restoral", Power, Restore, "AT", numberZone},
	{"AT", "AC trouble", Power, New, "", numberZone},
	{"ER", "Expansion restoral", Trouble, Restore, "ET", numberZone},
	{"ES", "Expansion device tamper", Tamper, New, "", numberZone},
	{"EJ", "Expansion device tamper restore", Tamper, Restore, "ES", numberZone},
	{"EM", "Expansion device missing", Trouble, New, "", numberZone},
	{"EN", "Expansion device missing restore", Trouble, Restore, "EM", numberZone},
	{"ET", "Expansion trouble", Trouble, New, "", numberZone},
	{"IA", "Equipment failure", Trouble, New, "", numberZone},
	{"IR", "Equipment failure restoral", Trouble, Restore, "IA", numberZone},
	{"JA", "User code tamper", Tamper, New, "", numberUser},
	{"LR", "Phone line restoral", Comms, Restore, "LT", numberZone},
	{"LT", "Phone line trouble", Comms, New, "", numberZone},
	{"NC", "Network condition", Comms, Status, "", numberZone},
	{"NR", "Network restoral", Comms, Restore, "NT", numberZone},
	{"NT", "Network failure", Comms, New, "", numberZone},
	{"XH", "RF interference restoral", Comms, Restore, "XQ", numberZone},
	{"XJ", "RF receiver tamper restoral", Tamper, Restore, "XS", numberZone},
	{"XL", "Low received signal strength", Comms, New, "", numberZone},
	{"XQ", "RF interference", Comms, New, "", numberZone},
	{"XR", "Transmitter battery restoral", Battery, Restore, "XT", numberZone},
	{"XS", "RF receiver tamper", Tamper, New, "", numberZone},
	{"XT", "Transmitter battery trouble", Battery, New, "", numberZone},
	{"YA", "Bell fault", Trouble, New, "", numberZone},
	{"YC", "Communications fail", Comms, New, "", numberZone},
	{"YF", "Parameter checksum fail", Trouble, New, "", numberZone},
	{"YH", "Bell restored", Trouble, Restore, "YA", numberZone},
	{"YI", "Overcurrent trouble", Power, New, "", numberZone},
	{"YJ", "Overcurrent restore", Power, Restore, "YI", numberZone},
	{"YK", "Communications restoral", Comms, Restore, "YC", numberZone},
	{"YM", "System battery missing", Battery, New, "", numberZone},
	{"YP", "Power supply trouble", Power, New, "", numberZone},
	{"YQ", "Power supply restored", Power, Restore, "YP", numberZone},
	{"YR", "System battery restoral", Battery, Restore, "YT", numberZone},
	{"YS", "Communications trouble", Comms, New, "", numberZone},
	{"YT", "System battery trouble", Battery, New, "", numberZone},
	{"YX", "Service required", Trouble, New, "", numberZone},
	{"YZ", "Service completed", Trouble, Restore, "YX", numberZone},
}

// siaSystem are tests and housekeeping.
var siaSystem = []SIACode{
	{"JD", "Date changed", System, Status, "", numberUser},
	{"JH", "Holiday changed", System, Status, "", numberUser},
	{"JL", "Log threshold", System, Status, "", numberZone},
	{"JO", "Log overflow", System, Status, "", numberZone},
	{"JR", "Schedule executed", System, Status, "", numberArea},
	{"JS", "Schedule changed", System, Status, "", numberUser},
	{"JT", "Time changed", System, Status, "", numberUser},
	{"JV", "User code changed", System, Status, "", numberUser},
	{"JX", "User code deleted", System, Status, "", numberUser},
	{"LB", "Local programming begun", System, Status, "", numberZone},
	{"LD", "Local programming denied", System, Status, "", numberZone},
	{"LE", "Listen-in ended", System, Status, "", numberZone},
	{"LF", "Listen-in begun", System, Status, "", numberZone},
	{"LS", "Local programming success", System, Status, "", numberZone},
	{"LU", "Local programming fail", System, Status, "", numberZone},
	{"LX", "Local programming ended", System, Status, "", numberZone},
	{"RB", "Remote programming begun", System, Status, "", numberZone},
	{"RC", "Relay close", System, Status, "", numberZone},
	{"RD", "Remote programming denied", System, Status, "", numberZone},
	{"RN", "Remote reset", System, Status, "", numberZone},
	{"RO", "Relay open", System, Status, "", numberZone},
	{"RP", "Automatic test", Test, Status, "", numberZone},
	{"RR", "Power up", System, Status, "", numberZone},
	{"RS", "Remote programming success", System, Status, "", numberZone},
	{"RT", "Data lost", Trouble, New, "", numberZone},
	{"RU", "Remote programming fail", System, Status, "", numberZone},
	{"RX", "Manual test", Test, Status, "", numberUser},
	{"RY", "Test off normal", Test, Status, "", numberZone},
	{"TC", "All points tested", Test, Status, "", numberZone},
	{"TE", "Test end", Test, Status, "", numberUser},
	{"TP", "Walk test point", Test, Status, "", numberZone},
	{"TS", "Test start", Test, Status, "", numberUser},
	{"TX", "Test report", Test, Status, "", numberZone},
	{"YG", "Parameter changed", System, Status, "", numberZone},
	{"YW", "Watchdog reset", System, Status, "", numberZone},
	{"YY", "Status report", System, Status, "", numberZone},
}
