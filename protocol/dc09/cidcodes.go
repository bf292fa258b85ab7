package dc09

// CIDCode is what DC-05 says about a three-digit Contact ID event.
type CIDCode struct {
	Code    string
	Meaning string
	// Category is that of a new event. An Open event is an opening with
	// qualifier 1 and a closing with qualifier 3.
	Category Category

	number numberKind
}

// LookupCID returns what is known about a three-digit event.
func LookupCID(code string) (CIDCode, bool) {
	c, ok := cidCodes[code]
	return c, ok
}

// cidCodes is filled once and never written again.
var cidCodes = makeCIDCodes()

func makeCIDCodes() map[string]CIDCode {
	m := make(map[string]CIDCode, 256)
	for _, group := range [][]CIDCode{cidAlarms, cidFaults, cidOpenings, cidSystem} {
		for _, c := range group {
			m[c.Code] = c
		}
	}
	return m
}

// cidAlarms are events 100 to 299.
var cidAlarms = []CIDCode{
	{"100", "Medical alarm", Medical, numberZone},
	{"101", "Personal emergency, pendant", Medical, numberZone},
	{"102", "Failure to report in", Medical, numberZone},
	{"110", "Fire alarm", Fire, numberZone},
	{"111", "Smoke", Fire, numberZone},
	{"112", "Combustion", Fire, numberZone},
	{"113", "Water flow, sprinkler", Fire, numberZone},
	{"114", "Heat", Fire, numberZone},
	{"115", "Pull station", Fire, numberZone},
	{"116", "Duct", Fire, numberZone},
	{"117", "Flame", Fire, numberZone},
	{"118", "Near alarm, fire", Fire, numberZone},
	{"120", "Panic alarm", Panic, numberZone},
	{"121", "Duress", HoldUp, numberUser},
	{"122", "Hold-up, silent", HoldUp, numberZone},
	{"123", "Panic, audible", Panic, numberZone},
	{"124", "Duress, access granted", HoldUp, numberZone},
	{"125", "Duress, egress granted", HoldUp, numberZone},
	{"129", "Confirmed hold-up", VerifiedHoldUp, numberZone},
	{"130", "Burglary", Burglary, numberZone},
	{"131", "Perimeter", Burglary, numberZone},
	{"132", "Interior", Burglary, numberZone},
	{"133", "24 hour burglary", Burglary, numberZone},
	{"134", "Entry or exit", Burglary, numberZone},
	{"135", "Day or night", Burglary, numberZone},
	{"136", "Outdoor", Burglary, numberZone},
	{"137", "Tamper", Tamper, numberZone},
	{"138", "Near alarm, burglary", Burglary, numberZone},
	{"139", "Verified burglary", VerifiedBurglary, numberZone},
	{"140", "General alarm", General, numberZone},
	{"141", "Polling loop open", Trouble, numberZone},
	{"142", "Polling loop short", Trouble, numberZone},
	{"143", "Expansion module failure", Trouble, numberZone},
	{"144", "Sensor tamper", Tamper, numberZone},
	{"145", "Expansion module tamper", Tamper, numberZone},
	{"146", "Silent burglary", Burglary, numberZone},
	{"147", "Sensor supervision failure", Trouble, numberZone},
	{"150", "24 hour non-burglary", General, numberZone},
	{"151", "Gas detected", Gas, numberZone},
	{"152", "Refrigeration", Environment, numberZone},
	{"153", "Loss of heat", Environment, numberZone},
	{"154", "Water leakage", Water, numberZone},
	{"155", "Foil break", Burglary, numberZone},
	{"156", "Day trouble", Trouble, numberZone},
	{"157", "Low bottled gas level", Environment, numberZone},
	{"158", "High temperature", Environment, numberZone},
	{"159", "Low temperature", Environment, numberZone},
	{"161", "Loss of air flow", Environment, numberZone},
	{"162", "Carbon monoxide", Gas, numberZone},
	{"163", "Tank level", Environment, numberZone},
	{"200", "Fire supervisory", Trouble, numberZone},
	{"201", "Low water pressure", Trouble, numberZone},
	{"202", "Low CO2", Trouble, numberZone},
	{"203", "Gate valve sensor", Trouble, numberZone},
	{"204", "Low water level", Trouble, numberZone},
	{"205", "Pump activated", Trouble, numberZone},
	{"206", "Pump failure", Trouble, numberZone},
}

// cidFaults are events 300 to 399.
var cidFaults = []CIDCode{
	{"300", "System trouble", Trouble, numberZone},
	{"301", "AC loss", Power, numberZone},
	{"302", "Low system battery", Battery, numberZone},
	{"303", "RAM checksum bad", Trouble, numberZone},
	{"304", "ROM checksum bad", Trouble, numberZone},
	{"305", "System reset", System, numberZone},
	{"306", "Panel programming changed", System, numberZone},
	{"307", "Self-test failure", Trouble, numberZone},
	{"308", "System shutdown", Trouble, numberZone},
	{"309", "Battery test failure", Battery, numberZone},
	{"310", "Ground fault", Trouble, numberZone},
	{"311", "Battery missing or dead", Battery, numberZone},
	{"312", "Power supply overcurrent", Power, numberZone},
	{"313", "Engineer reset", System, numberUser},
	{"320", "Sounder or relay", Trouble, numberZone},
	{"321", "Bell 1", Trouble, numberZone},
	{"322", "Bell 2", Trouble, numberZone},
	{"323", "Alarm relay", Trouble, numberZone},
	{"324", "Trouble relay", Trouble, numberZone},
	{"330", "System peripheral trouble", Trouble, numberZone},
	{"331", "Polling loop open", Trouble, numberZone},
	{"332", "Polling loop short", Trouble, numberZone},
	{"333", "Expansion module failure", Trouble, numberZone},
	{"334", "Repeater failure", Trouble, numberZone},
	{"337", "Expansion module DC loss", Power, numberZone},
	{"338", "Expansion module low battery", Battery, numberZone},
	{"339", "Expansion module reset", System, numberZone},
	{"341", "Expansion module tamper", Tamper, numberZone},
	{"342", "Expansion module AC loss", Power, numberZone},
	{"343", "Expansion module self-test failure", Trouble, numberZone},
	{"344", "RF receiver jamming", Comms, numberZone},
	{"350", "Communication trouble", Comms, numberZone},
	{"351", "Telephone line 1 fault", Comms, numberZone},
	{"352", "Telephone line 2 fault", Comms, numberZone},
	{"353", "Radio transmitter fault", Comms, numberZone},
	{"354", "Failure to communicate", Comms, numberZone},
	{"355", "Loss of radio supervision", Comms, numberZone},
	{"356", "Loss of central polling", Comms, numberZone},
	{"370", "Protection loop", Trouble, numberZone},
	{"371", "Protection loop open", Trouble, numberZone},
	{"372", "Protection loop short", Trouble, numberZone},
	{"373", "Fire trouble", Trouble, numberZone},
	{"374", "Exit error alarm", Burglary, numberZone},
	{"375", "Panic zone trouble", Trouble, numberZone},
	{"376", "Hold-up zone trouble", Trouble, numberZone},
	{"377", "Swinger trouble", Trouble, numberZone},
	{"378", "Cross-zone trouble", Trouble, numberZone},
	{"380", "Sensor trouble", Trouble, numberZone},
	{"381", "Loss of supervision, RF", Trouble, numberZone},
	{"382", "Loss of supervision, wired", Trouble, numberZone},
	{"383", "Sensor tamper", Tamper, numberZone},
	{"384", "RF low battery", Battery, numberZone},
	{"385", "Smoke detector, high sensitivity", Trouble, numberZone},
	{"386", "Smoke detector, low sensitivity", Trouble, numberZone},
	{"387", "Intrusion detector, high sensitivity", Trouble, numberZone},
	{"388", "Intrusion detector, low sensitivity", Trouble, numberZone},
	{"389", "Sensor self-test failure", Trouble, numberZone},
	{"391", "Sensor watch trouble", Trouble, numberZone},
	{"392", "Drift compensation error", Trouble, numberZone},
	{"393", "Maintenance alert", Trouble, numberZone},
}

// cidOpenings are events 400 to 499.
var cidOpenings = []CIDCode{
	{"400", "Open or close", Open, numberUser},
	{"401", "Open or close by user", Open, numberUser},
	{"402", "Group open or close", Open, numberUser},
	{"403", "Automatic open or close", Open, numberUser},
	{"406", "Cancel", Cancelled, numberUser},
	{"407", "Remote arm or disarm", Open, numberUser},
	{"408", "Quick arm", Open, numberUser},
	{"409", "Keyswitch open or close", Open, numberUser},
	{"411", "Callback request made", System, numberUser},
	{"412", "Remote programming success", System, numberUser},
	{"413", "Remote programming fail", System, numberUser},
	{"421", "Access denied", Access, numberUser},
	{"422", "Access report by user", Access, numberUser},
	{"423", "Forced access", Access, numberZone},
	{"424", "Egress denied", Access, numberUser},
	{"425", "Egress granted", Access, numberUser},
	{"426", "Access door propped open", Access, numberZone},
	{"441", "Armed, stay", Open, numberUser},
	{"442", "Keyswitch armed, stay", Open, numberUser},
	{"451", "Early open or close", Open, numberUser},
	{"452", "Late open or close", Open, numberUser},
	{"453", "Failed to open", System, numberUser},
	{"454", "Failed to close", System, numberUser},
	{"455", "Automatic arming failed", Trouble, numberUser},
	{"456", "Partial arm", Open, numberUser},
	{"457", "Exit error by user", System, numberUser},
	{"458", "User on premises", Access, numberUser},
	{"459", "Recent close", System, numberUser},
	{"461", "Wrong code entry", Tamper, numberUser},
	{"464", "Automatic arming time extended", System, numberUser},
	{"465", "Panic alarm reset", System, numberUser},
	{"466", "Service on or off premises", Access, numberUser},
}

// cidSystem are events 500 to 699: disabled parts, bypasses, tests, log.
var cidSystem = []CIDCode{
	{"520", "Sounder or relay disabled", Bypass, numberZone},
	{"521", "Bell 1 disabled", Bypass, numberZone},
	{"522", "Bell 2 disabled", Bypass, numberZone},
	{"551", "Dialler disabled", Comms, numberZone},
	{"552", "Radio transmitter disabled", Comms, numberZone},
	{"570", "Zone bypass", Bypass, numberZone},
	{"571", "Fire bypass", Bypass, numberZone},
	{"572", "24 hour zone bypass", Bypass, numberZone},
	{"573", "Burglary bypass", Bypass, numberZone},
	{"574", "Group bypass", Bypass, numberUser},
	{"575", "Swinger bypass", Bypass, numberZone},
	{"601", "Manual test", Test, numberUser},
	{"602", "Periodic test", Test, numberZone},
	{"603", "Periodic RF transmission", Test, numberZone},
	{"604", "Fire test", Test, numberUser},
	{"605", "Status report to follow", System, numberZone},
	{"606", "Listen-in to follow", System, numberZone},
	{"607", "Walk test mode", Test, numberUser},
	{"608", "Periodic test, system trouble present", Test, numberZone},
	{"611", "Point tested", Test, numberZone},
	{"612", "Point not tested", Test, numberZone},
	{"613", "Intrusion zone walk tested", Test, numberZone},
	{"614", "Fire zone walk tested", Test, numberZone},
	{"615", "Panic zone walk tested", Test, numberZone},
	{"616", "Service request", System, numberZone},
	{"621", "Event log reset", System, numberZone},
	{"622", "Event log half full", System, numberZone},
	{"623", "Event log 90% full", System, numberZone},
	{"624", "Event log overflow", System, numberZone},
	{"625", "Time or date reset", System, numberUser},
	{"626", "Time or date inaccurate", System, numberZone},
	{"627", "Programming begun", System, numberZone},
	{"628", "Programming ended", System, numberZone},
	{"654", "System inactivity", Emergency, numberZone},
}
