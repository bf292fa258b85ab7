package auth

import "slices"

// Role is a kind of work. A person may have several.
type Role string

// The roles.
const (
	Operator      Role = "operator"      // works the live incidents
	Supervisor    Role = "supervisor"    // leads the operators
	Analyst       Role = "analyst"       // looks for patterns, without personal data
	Investigator  Role = "investigator"  // follows up what happened
	Administrator Role = "administrator" // runs the platform
	Auditor       Role = "auditor"       // checks how it is used
)

// Permission is one thing that a role may allow, worded to follow "may".
type Permission string

// The permissions.
const (
	SeeIncidents    Permission = "see incidents"
	RunIncidents    Permission = "run incidents" // grade, assign, note, close
	OverrideGrade   Permission = "overrule a grade"
	SeePremises     Permission = "see premises"
	ManagePremises  Permission = "change premises"
	SeePersonalData Permission = "open personal data" // for a stated purpose
	SeeSources      Permission = "see sources"
	SeeQuarantine   Permission = "see the quarantine"
	WorkQuarantine  Permission = "work on the quarantine"
	SeeMetrics      Permission = "see metrics"
	SeeAudit        Permission = "read the audit log"
	ManagePeople    Permission = "manage people"
	WriteWarnings   Permission = "write public warnings"
	ApproveWarnings Permission = "approve public warnings" // of others
)

// grants is the whole of who may do what. An administrator runs the platform and
// does not thereby see personal data; who checks the use of data changes none.
func grants() map[Role][]Permission {
	return map[Role][]Permission{
		Operator:      {SeeIncidents, RunIncidents, SeePremises, SeePersonalData, SeeSources, WriteWarnings},
		Supervisor:    {SeeIncidents, RunIncidents, OverrideGrade, SeePremises, ManagePremises, SeePersonalData, SeeSources, SeeQuarantine, WorkQuarantine, SeeMetrics, WriteWarnings, ApproveWarnings},
		Analyst:       {SeeIncidents, SeePremises, SeeSources, SeeQuarantine, SeeMetrics},
		Investigator:  {SeeIncidents, SeePremises, SeePersonalData, SeeSources},
		Administrator: {SeeIncidents, SeePremises, ManagePremises, SeeSources, SeeQuarantine, WorkQuarantine, SeeMetrics, ManagePeople},
		Auditor:       {SeeIncidents, SeeSources, SeeQuarantine, SeeMetrics, SeeAudit},
	}
}

// Roles lists the roles in the order in which to show them.
func Roles() []Role {
	return []Role{Operator, Supervisor, Analyst, Investigator, Administrator, Auditor}
}

// Permissions lists all permissions.
func Permissions() []Permission {
	return []Permission{
		SeeIncidents, RunIncidents, OverrideGrade, SeePremises, ManagePremises, SeePersonalData,
		SeeSources, SeeQuarantine, WorkQuarantine, SeeMetrics, SeeAudit, ManagePeople, WriteWarnings, ApproveWarnings,
	}
}

// Valid reports whether the role exists.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Can reports whether the role allows something.
func (r Role) Can(p Permission) bool { return slices.Contains(grants()[r], p) }

// RolesWith lists the roles that allow something.
func RolesWith(p Permission) []Role {
	var out []Role
	g := grants()
	for _, r := range Roles() {
		if slices.Contains(g[r], p) {
			out = append(out, r)
		}
	}
	return out
}

// permissionsOf unites what several roles allow.
func permissionsOf(roles []Role) map[Permission]bool {
	out := map[Permission]bool{}
	g := grants()
	for _, r := range roles {
		for _, p := range g[r] {
			out[p] = true
		}
	}
	return out
}

// Purpose is why somebody opens personal data: a specified, explicit and
// legitimate purpose (Data Protection Act 2018, sections 36 and 62).
type Purpose string

// The purposes.
const (
	Respond     Purpose = "respond"
	Safeguard   Purpose = "safeguard"
	Investigate Purpose = "investigate"
	Maintain    Purpose = "maintain"
	AuditUse    Purpose = "audit"
)

// PurposeWords are the purposes in words, to choose from.
func PurposeWords() map[Purpose]string {
	return map[Purpose]string{
		Respond:     "Respond to this incident",
		Safeguard:   "Protect a person at risk",
		Investigate: "Investigate a crime",
		Maintain:    "Keep the register correct",
		AuditUse:    "Check how data was used",
	}
}

// Purposes lists the purposes in the order in which to show them.
func Purposes() []Purpose { return []Purpose{Respond, Safeguard, Investigate, Maintain, AuditUse} }
